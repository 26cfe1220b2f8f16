# Every rule of behaviour is named by a test: its id stands as a word in the name of a TEST_CASE of test/**.cpp.
#   cmake -DROOT=<source directory> -P rules.cmake
cmake_minimum_required(VERSION 3.23)
include("${CMAKE_CURRENT_LIST_DIR}/source_text.cmake")

set(rules
    T1 T2 T3 T4 T5              # timeouts
    A1 A2 A3 A4                 # attempts
    B1 B2 B3 B4                 # backoff
    S1 S2 S3 S4 S5              # what the server asks for
    G1 G2 G3 G4 G5 G6 G7 G8 G9  # gate
    Q1 Q2 Q3                    # budget
    I1 I2 I3 I4 I5              # idempotency and bodies
    C1 C2 C3                    # connections
    X1 X2 X3 X4                 # cancellation
    E1 E2 E3                    # errors and hooks
    P2 P11                      # listings
)

set(space "[ \t\r\n]*")
get_filename_component(ROOT "${ROOT}" ABSOLUTE)
file(GLOB_RECURSE files "${ROOT}/test/*.cpp")
set(names "")
foreach(path IN LISTS files)
    file(READ "${path}" text)
    if(NOT text MATCHES "TEST_CASE")
        continue()
    endif()
    strip("${text}" KEEP text)
    # A name may be cut in several literals.
    string(REGEX MATCHALL "[^A-Za-z0-9_]TEST_CASE${space}\\(${space}(\"[^\"]*\"${space})+" found "\n${text}")
    string(APPEND names "${found}\n")
endforeach()

foreach(rule IN LISTS rules)
    if(NOT names MATCHES "[^A-Za-z0-9_]${rule}[^A-Za-z0-9_]")
        complain("no test names ${rule}")
    endif()
endforeach()
conclude(rules "${files}")
