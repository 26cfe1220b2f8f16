# Installs a build, and uses it as a stranger would: by find_package from the installation, and by add_subdirectory
# from the sources (there only the stranger's own file is compiled).
#   cmake -DSOURCE=<source directory> -DBUILD=<build directory> -DWORK=<scratch directory>
#         [-DGENERATOR=] [-DCXX=] [-DCXX_FLAGS=] [-DBUILD_TYPE=] -P install_and_consume.cmake
cmake_minimum_required(VERSION 3.23)

function(run)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
    if(NOT status EQUAL 0)
        list(JOIN ARGN " " command)
        message(FATAL_ERROR "${command}\n${output}\nended with ${status}")
    endif()
    set(output "${output}" PARENT_SCOPE)
endfunction()

# A command that must fail, with a text that matches.
function(run_refused text)
    execute_process(COMMAND ${ARGN} RESULT_VARIABLE status OUTPUT_VARIABLE output ERROR_VARIABLE output)
    string(REGEX REPLACE "[ \n]+" " " output "${output}")
    if(status EQUAL 0 OR NOT output MATCHES "${text}")
        list(JOIN ARGN " " command)
        message(FATAL_ERROR "${command}\n${output}\nended with ${status}; it should fail with: ${text}")
    endif()
endfunction()

set(consumer "${SOURCE}/test/surface/consumer")
set(options "-DCMAKE_CXX_FLAGS=${CXX_FLAGS}")
if(GENERATOR)
    list(APPEND options -G "${GENERATOR}")
endif()
if(CXX)
    list(APPEND options "-DCMAKE_CXX_COMPILER=${CXX}")
endif()
if(BUILD_TYPE)
    list(APPEND options "-DCMAKE_BUILD_TYPE=${BUILD_TYPE}")
endif()

file(REMOVE_RECURSE "${WORK}")
run("${CMAKE_COMMAND}" --install "${BUILD}" --prefix "${WORK}/prefix")

# Nothing internal is installed, and nothing is missing.
file(GLOB_RECURSE wanted RELATIVE "${SOURCE}/include" "${SOURCE}/include/*.hpp")
file(GLOB_RECURSE installed RELATIVE "${WORK}/prefix/include" "${WORK}/prefix/include/*")
list(APPEND wanted ccloud/export.hpp) # generated
list(SORT wanted)
list(SORT installed)
if(NOT wanted STREQUAL installed)
    message(FATAL_ERROR "installed headers:\n  ${installed}\npublic headers:\n  ${wanted}")
endif()

run("${CMAKE_COMMAND}" -S "${consumer}" -B "${WORK}/found" ${options} "-DCMAKE_PREFIX_PATH=${WORK}/prefix")
run("${CMAKE_COMMAND}" --build "${WORK}/found")
run("${WORK}/found/consumer")
message("find_package: ${output}")

run("${WORK}/prefix/bin/ccloud-simulator" --help)
message("ccloud-simulator: starts where it is installed")

# Boost is part of the ABI. This package pretends to be the next minor version, beside a header that says so.
file(GLOB_RECURSE config_file "${WORK}/prefix/lib*/ccloud-config.cmake")
file(READ "${config_file}" config)
if(NOT config MATCHES "built with Boost 1\\.([0-9]+)")
    message(FATAL_ERROR "the package does not say with what Boost it was built")
endif()
math(EXPR next "${CMAKE_MATCH_1} + 1")
set(other "${WORK}/other_boost")
file(WRITE "${other}/BoostConfig.cmake" "set(Boost_FOUND TRUE)\n")
file(WRITE "${other}/BoostConfigVersion.cmake" "set(PACKAGE_VERSION 1.${next}.0)\nset(PACKAGE_VERSION_COMPATIBLE TRUE)\n")
run_refused(
    "built with Boost 1\\.${CMAKE_MATCH_1}, and Boost 1\\.${next} was found"
    "${CMAKE_COMMAND}" -S "${consumer}" -B "${WORK}/refused" ${options} "-DCMAKE_PREFIX_PATH=${WORK}/prefix"
    "-DBoost_DIR=${other}"
)
message("another minor version of Boost: the package refuses it")

# Nor does an object that was compiled with the headers of another version, alone or behind one of the right version,
# also if the linker drops what is not used.
file(WRITE "${other}/include/boost/version.hpp" "#define BOOST_VERSION 10${next}00\n")
file(WRITE "${other}/main.cpp" "#include <ccloud/abi.hpp>\nint main() {}\n")
file(WRITE "${other}/part.cpp" "#include <ccloud/abi.hpp>\n")
file(GLOB_RECURSE library "${WORK}/prefix/lib*/libccloud.a" "${WORK}/prefix/lib*/libccloud.so")
if(NOT CXX)
    set(CXX c++)
endif()
separate_arguments(flags NATIVE_COMMAND "${CXX_FLAGS}")
set(compile "${CXX}" ${flags} -std=c++20 -ffunction-sections -fdata-sections "-I${WORK}/prefix/include")
run(${compile} -c "${other}/main.cpp" -o "${other}/main.o")
run(${compile} "-I${other}/include" -c "${other}/main.cpp" -o "${other}/other_main.o")
run(${compile} "-I${other}/include" -c "${other}/part.cpp" -o "${other}/other_part.o")
set(link "${CXX}" ${flags} -Wl,--gc-sections -o "${other}/main")
run(${link} "${other}/main.o" ${library})
run_refused("ccloud::abi::boost_version<10${next}>" ${link} "${other}/other_main.o" ${library})
run_refused("ccloud::abi::boost_version<10${next}>" ${link} "${other}/main.o" "${other}/other_part.o" ${library})
message("another minor version of Boost: objects do not link")

run("${WORK}/prefix/share/ccloud/await-lint" "${consumer}")
message("await-lint: passes the program")

run("${CMAKE_COMMAND}" -S "${consumer}" -B "${WORK}/added" ${options} "-DCCLOUD_SOURCE_DIR=${SOURCE}")
if(GENERATOR STREQUAL "Ninja")
    run("${CMAKE_COMMAND}" --build "${WORK}/added" --target CMakeFiles/consumer.dir/main.cpp.o)
endif()
message("add_subdirectory: compiles")

file(REMOVE_RECURSE "${WORK}")
