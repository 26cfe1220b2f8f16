#ifndef CCLOUD_TEST_FUZZ_FUZZ_INPUT_HPP
#define CCLOUD_TEST_FUZZ_FUZZ_INPUT_HPP

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

/*  Shared by the fuzz targets: failure reports, and the parsing of an input. */

namespace fuzz {

/** Ends the process if a rule does not hold. */
inline void require(bool holds, char const* rule)
{
    if (holds)
        return;
    std::fprintf(stderr, "does not hold: %s\n", rule);
    std::abort();
}

/** The same, and shows the beginning of the text `about`, to which the rule applies. */
inline void require(bool holds, char const* rule, std::string_view about)
{
    if (holds)
        return;
    std::fputs("about: ", stderr);
    for (char const c : about.substr(0, 400))
        if (c >= 0x20 && c < 0x7f)
            std::fputc(c, stderr);
        else
            std::fprintf(stderr, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(c)));
    std::fputc('\n', stderr);
    require(false, rule);
}

/** Whether a text has no control characters. */
inline bool is_printable(std::string_view text)
{
    return std::none_of(text.begin(), text.end(), [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
    });
}

/** A password in inputs that must not appear in any text for people. */
inline constexpr std::string_view secret = "S3cr3t";

inline bool shows_secret(std::string_view text)
{
    return text.find(secret) != std::string_view::npos;
}

/** A copy in an allocation of exactly its size, so that AddressSanitizer detects reads beyond its end. */
class exact_copy
{
public:
    explicit exact_copy(std::string_view text) : size_(text.size()), bytes_(new char[text.size()])
    {
        std::copy(text.begin(), text.end(), bytes_.get());
    }

    std::string_view view() const noexcept { return {bytes_.get(), size_}; }

private:
    std::size_t size_;
    std::unique_ptr<char[]> bytes_;
};

/** Reads values from the front of an input. Beyond its end it returns zeros and empty texts. */
class input
{
public:
    input(std::uint8_t const* data, std::size_t size) noexcept : rest_(reinterpret_cast<char const*>(data), size) {}

    bool empty() const noexcept { return rest_.empty(); }

    unsigned byte() noexcept
    {
        if (rest_.empty())
            return 0;
        auto const value = static_cast<unsigned char>(rest_.front());
        rest_.remove_prefix(1);
        return value;
    }

    /** A number below 2^(8 * bytes), the most significant byte first. */
    std::uint64_t number(int bytes) noexcept
    {
        std::uint64_t value = 0;
        for (; bytes > 0; --bytes)
            value = value << 8 | byte();
        return value;
    }

    std::string_view take(std::size_t size) noexcept
    {
        auto const taken = rest_.substr(0, size);
        rest_.remove_prefix(taken.size());
        return taken;
    }

    /** Up to the next line feed, which is dropped. */
    std::string_view line() noexcept
    {
        auto const taken = take(std::min(rest_.find('\n'), rest_.size()));
        take(1);
        return taken;
    }

    std::string_view rest() noexcept { return take(rest_.size()); }

private:
    std::string_view rest_;
};

/** The text with each byte 0xfe replaced by `times` copies of `piece`, so that a short input becomes a long text. Once
    the result has `enough` bytes, further ones are dropped. */
inline std::string expanded(std::string_view text, std::string_view piece, std::size_t times, std::size_t enough)
{
    std::string all;
    for (char const c : text)
        if (c != '\xfe')
            all += c;
        else if (all.size() < enough)
            for (std::size_t i = 0; i < times; ++i)
                all += piece;
    return all;
}

} // namespace fuzz

#endif
