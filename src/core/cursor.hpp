#ifndef CCLOUD_CORE_CURSOR_HPP
#define CCLOUD_CORE_CURSOR_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

namespace ccloud::core {

/** The page token of a `metadata.next` link: the value of the first parameter `page_token` that is not empty, in the
    query (RFC 3986 section 3.4: between the first "?" and the first "#"), form-decoded once. Only the token is read,
    whatever scheme, host and path the link names. White space and C0 controls after the link are not part of it (WHATWG URL
    section 4.4). Returns an empty text if every `page_token` is empty: that is the
    end of a listing. Returns nothing if the link has no such parameter, or if the token is not visible ASCII or has a
    "%" without two hexadecimal digits. */
std::optional<std::string> page_token(std::string_view link);

/** Most bytes of a page link. A longer one is refused, because no server accepts a request line of that length. */
inline constexpr std::size_t longest_page_link = 16 * 1024;

/** Remembers the tokens of a listing: the first ones as they are, further ones by a 64-bit hash. */
class page_memory
{
public:
    /** Up to 10,000 tokens with 4 MiB in all are remembered as they are. */
    static constexpr std::size_t most_exact = 10'000;
    static constexpr std::size_t most_exact_bytes = 4 * 1024 * 1024;

    /** True where `token` was not seen before. */
    bool insert(std::string_view token);

private:
    std::unordered_set<std::string> exact_;
    std::size_t exact_bytes_ = 0;
    std::unordered_set<std::uint64_t> hashed_;
};

} // namespace ccloud::core

#endif
