// Inflates gzip of every length from 0 to 200,000 at every level, as zlib makes it. `gzip_lengths STEP` tries every STEP-th
// length only. Exits with 1 at the first that is refused.
#include "deflated.hpp"
#include "gunzip.hpp"

#include <zlib.h>

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace {

constexpr std::size_t longest = 200'000;

/** Compresses a text that grows. What has been compressed already is not compressed again for the next length. */
class growing_gzip
{
public:
    growing_gzip(std::string_view text, int level) : text_(text)
    {
        constexpr int gzip_with_largest_window = 15 + 16;
        deflateInit2(&stream_, level, Z_DEFLATED, gzip_with_largest_window, 8, Z_DEFAULT_STRATEGY);
    }
    growing_gzip(growing_gzip const&) = delete;
    growing_gzip& operator=(growing_gzip const&) = delete;
    ~growing_gzip() { deflateEnd(&stream_); }

    /** A member with the first `size` bytes of the text as its content. Sizes only grow. */
    std::string member(std::size_t size)
    {
        auto const more = text_.substr(stream_.total_in, size - stream_.total_in);
        stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(more.data()));
        stream_.avail_in = static_cast<uInt>(more.size());
        write(stream_, written_, Z_NO_FLUSH);
        auto whole = written_;
        z_stream end{};
        deflateCopy(&end, &stream_);
        write(end, whole, Z_FINISH);
        deflateEnd(&end);
        return whole;
    }

private:
    static void write(z_stream& from, std::string& to, int flush)
    {
        char piece[16 * 1024];
        do
        {
            from.next_out = reinterpret_cast<Bytef*>(piece);
            from.avail_out = sizeof piece;
            deflate(&from, flush);
            to.append(piece, sizeof piece - from.avail_out);
        } while (from.avail_out == 0);
    }

    std::string_view text_;
    std::string written_;
    z_stream stream_{};
};

bool is_inflated(std::string_view member, std::string_view content)
{
    auto const inflated = support::gunzip(member, longest);
    return inflated && *inflated == content;
}

} // namespace

int main(int count, char** arguments)
{
    auto const step = count > 1 ? std::strtoul(arguments[1], nullptr, 10) : 1;
    if (step == 0)
    {
        std::fputs("usage: gzip_lengths [STEP]\n", stderr);
        return 2;
    }
    std::size_t tried = 0;
    auto const text = support::page_text(longest);
    for (int level = 0; level <= 9; ++level)
    {
        growing_gzip compressor(text, level);
        for (std::size_t length = 0; length <= longest; length += step)
        {
            auto const content = std::string_view(text).substr(0, length);
            // Level 0 compresses nothing, and cuts its blocks by how the text comes.
            auto const member = level == 0 ? support::deflated(content, level) : compressor.member(length);
            if (!is_inflated(member, content))
            {
                std::printf("level %d, %zu bytes: not inflated\n", level, length);
                return 1;
            }
            ++tried;
        }
    }
    std::printf("%zu bodies inflated\n", tried);
    return 0;
}
