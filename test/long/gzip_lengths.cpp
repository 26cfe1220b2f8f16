// Inflates gzip of every length from 0 to 200,000 at every level, as zlib makes it. Takes about an hour on one core;
// `gzip_lengths STEP` tries every STEP-th length only. Exits with 1 at the first that is refused.
#include "deflated.hpp"
#include "gunzip.hpp"

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

int main(int count, char** arguments)
{
    constexpr std::size_t longest = 200'000;
    auto const step = count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 1;
    if (step == 0)
    {
        std::fputs("usage: gzip_lengths [STEP]\n", stderr);
        return 2;
    }
    std::size_t tried = 0;
    auto const text = support::page_text(longest);
    for (int level = 0; level <= 9; ++level)
        for (std::size_t length = 0; length <= longest; length += step)
        {
            auto const content = std::string_view(text).substr(0, length);
            auto const inflated = support::gunzip(support::deflated(content, level), longest);
            if (!inflated || *inflated != content)
            {
                std::printf("level %d, %zu bytes: not inflated\n", level, length);
                return 1;
            }
            ++tried;
        }
    std::printf("%zu bodies inflated\n", tried);
    return 0;
}
