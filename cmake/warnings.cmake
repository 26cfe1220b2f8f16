# The warnings of this project's own targets. PRIVATE, so that users are not held to them.
function(ccloud_warnings target)
    target_compile_options(
        ${target}
        PRIVATE
            -Wall
            -Wextra
            -Wpedantic
            -Wshadow
            -Wconversion
            -Wsign-conversion
            -Wnon-virtual-dtor
            -Woverloaded-virtual
    )
endfunction()
