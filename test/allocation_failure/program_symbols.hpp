#ifndef CCLOUD_TEST_PROGRAM_SYMBOLS_HPP
#define CCLOUD_TEST_PROGRAM_SYMBOLS_HPP

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

/** The functions of this program by their addresses, from its symbol table. `backtrace_symbols` knows only what a program
    exports, and the library is compiled with hidden visibility. */
class program_symbols
{
public:
    /** Reads the symbol table. If there is none, all names are empty. */
    program_symbols();

    /** The mangled name of the function at an address; empty if it is not in this program. */
    std::string_view name_of(void const* address) const noexcept;

private:
    struct function
    {
        std::uintptr_t begin = 0;
        std::uintptr_t end = 0;
        std::string name;
    };

    std::vector<function> functions_; ///< sorted by `begin`
};

#endif
