# readme.cmake has to find what is planted.
#   cmake -DWORK=<scratch directory> -P readme_test.cmake
cmake_minimum_required(VERSION 3.23)

set(failures 0)

# `ARGN`: the complaints it has to make; none: it has to pass.
function(expect readme)
    file(WRITE "${WORK}/README.md" "${readme}")
    execute_process(
        COMMAND "${CMAKE_COMMAND}" "-DROOT=${WORK}" -P "${CMAKE_CURRENT_LIST_DIR}/readme.cmake"
        RESULT_VARIABLE status
        OUTPUT_VARIABLE output
        ERROR_VARIABLE output
    )
    list(LENGTH ARGN wanted)
    string(REGEX MATCHALL "README\\.md:[0-9]+: " said "${output}")
    list(LENGTH said said)
    set(wrong FALSE)
    if(NOT said EQUAL wanted OR (wanted EQUAL 0 AND NOT status EQUAL 0) OR (wanted GREATER 0 AND status EQUAL 0))
        set(wrong TRUE)
    endif()
    foreach(complaint IN LISTS ARGN)
        string(FIND "${output}" "${complaint}" at)
        if(at EQUAL -1)
            set(wrong TRUE)
        endif()
    endforeach()
    if(wrong)
        message("instead of \"${ARGN}\":\n${output}")
        math(EXPR failures "${failures} + 1")
    endif()
    set(failures ${failures} PARENT_SCOPE)
endfunction()

file(REMOVE_RECURSE "${WORK}")
file(WRITE "${WORK}/test/snippets/some.cpp" "void f()\n{\n    g(\"[;]\");  \n\n    if (x)\n        h();\n}\n")
file(WRITE "${WORK}/examples/01.cpp" "int main()\n{\n}\n")

expect("# A\n\n```cpp\ng(\"[;]\");\n\nif (x)\n    h();\n```\ntext\n```sh\nls\n```\n```cpp\nint main()\n{\n}\n```\n")
expect("# A\n```cpp\nif (x)\n    h();\n```\n\n```cpp\nif (y)\n    h();\n```\n" "README.md:8: this block")
expect("# A\n```cpp\nif (x) h();\n```\n" "README.md:3: this block")
expect("# A\n```cpp\nif (x\n```\n" "README.md:3: this block")
expect("# A\n```c++\nnot there\n```\n" "README.md:3: this block")
expect("# A\n```cpp\nint main()\n" "README.md:3: a block without an end")
expect("# A\n```sh\nls\n```\n" "README.md:1: has no C++ block")

file(REMOVE_RECURSE "${WORK}")
if(failures GREATER 0)
    message(FATAL_ERROR "${failures} failures")
endif()
message("readme.cmake finds what is planted")
