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
list(SORT wanted)
list(SORT installed)
if(NOT wanted STREQUAL installed)
    message(FATAL_ERROR "installed headers:\n  ${installed}\npublic headers:\n  ${wanted}")
endif()

run("${CMAKE_COMMAND}" -S "${consumer}" -B "${WORK}/found" ${options} "-DCMAKE_PREFIX_PATH=${WORK}/prefix")
run("${CMAKE_COMMAND}" --build "${WORK}/found")
run("${WORK}/found/consumer")
message("find_package: ${output}")

run("${WORK}/prefix/share/ccloud/await-lint" "${consumer}")
message("await-lint: passes the program")

run("${CMAKE_COMMAND}" -S "${consumer}" -B "${WORK}/added" ${options} "-DCCLOUD_SOURCE_DIR=${SOURCE}")
if(GENERATOR STREQUAL "Ninja")
    run("${CMAKE_COMMAND}" --build "${WORK}/added" --target CMakeFiles/consumer.dir/main.cpp.o)
endif()
message("add_subdirectory: compiles")

file(REMOVE_RECURSE "${WORK}")
