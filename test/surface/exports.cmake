# A shared library exports its public interface and nothing of its inside.
#   cmake -DNM=<nm> -DREADELF=<readelf> -DLIBRARY=<file> "-DOBJECTS=<file>;..." -DSONAME=<name> -DVERSION=<of the ABI>
#         "-DEXCEPTIONS=<type>;..." -P exports.cmake
# OBJECTS: of which the library was made. EXCEPTIONS: types that a program catches; some standard libraries compare them
# by address.
cmake_minimum_required(VERSION 3.23)

# symbols_of(OUT [option of nm...]): "0000000000012340 T name" each.
function(symbols_of out)
    execute_process(
        COMMAND "${NM}" --defined-only ${ARGN} "${LIBRARY}" OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY
    )
    string(REPLACE ";" "," symbols "${symbols}")
    string(REGEX MATCHALL "[0-9a-f]+ [A-Za-z] [^\n]+" symbols "${symbols}")
    set(${out} "${symbols}" PARENT_SCOPE)
endfunction()

symbols_of(mangled --dynamic)
symbols_of(exported --dynamic --demangle)
list(LENGTH exported count)

# Namespaces core, net, detail and auth of ccloud in mangled names, also in template arguments and parameters. "NS_" stands
# for the first name that came, and in members of ccloud that is the namespace.
set(internal "${mangled}")
list(FILTER internal INCLUDE REGEX "6ccloud(4core|3net|6detail|4auth)| _ZN?K?6ccloud.*NS_(4core|3net|6detail|4auth)")

# What objects share, and the library does not export: "12: 0000000000000000 34 FUNC GLOBAL HIDDEN 5 name" each.
execute_process(
    COMMAND "${READELF}" --symbols --wide --demangle ${OBJECTS} OUTPUT_VARIABLE hidden COMMAND_ERROR_IS_FATAL ANY
)
string(REPLACE ";" "," hidden "${hidden}")
string(REGEX MATCHALL "GLOBAL HIDDEN +[0-9]+ [^\n]+" hidden "${hidden}")
list(TRANSFORM hidden REPLACE "GLOBAL HIDDEN +[0-9]+ " "")
list(FILTER hidden INCLUDE REGEX "^ccloud::")
list(FILTER hidden EXCLUDE REGEX "^ccloud::(core|net|detail|auth|testing::simulated|testing::virtual_clock)::")
list(FILTER hidden EXCLUDE REGEX "^ccloud::([a-z]+::)*to_json\\(|^ccloud::client::client\\(std::shared_ptr<ccloud::detail::")
list(REMOVE_DUPLICATES hidden)

set(missing "")
foreach(type IN LISTS EXCEPTIONS)
    set(found "${exported}")
    list(FILTER found INCLUDE REGEX " typeinfo for ${type}$")
    if(NOT found)
        list(APPEND missing "typeinfo for ${type}")
    endif()
endforeach()

foreach(symbol IN LISTS hidden)
    list(APPEND missing "${symbol}")
endforeach()

list(LENGTH internal internal_count)
message("${LIBRARY}: ${count} symbols, ${internal_count} of them internal")
if(internal_count GREATER 0)
    list(JOIN internal "\n  " lines)
    message(FATAL_ERROR "internal symbols are exported:\n  ${lines}")
endif()
if(count LESS 10)
    message(FATAL_ERROR "the public interface is not exported")
endif()
if(missing)
    list(JOIN missing "\n  " lines)
    message(FATAL_ERROR "not exported:\n  ${lines}")
endif()
if(NOT SONAME MATCHES "\\.so\\.${VERSION}$")
    message(FATAL_ERROR "the SONAME is ${SONAME}, and should end with .so.${VERSION}")
endif()
