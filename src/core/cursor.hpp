#ifndef CCLOUD_CORE_CURSOR_HPP
#define CCLOUD_CORE_CURSOR_HPP

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>

namespace ccloud::core {

/** The page token of a `metadata.next` link, decoded once. Only the token is taken, whatever host the link names.
    Nothing where the link has no token or cannot be read. */
std::optional<std::string> page_token(std::string_view link);

/** Remembers the tokens of a listing: the first ten thousand as they are, further ones by a 64-bit hash. */
class page_memory
{
public:
    /** True where `token` was not seen before. */
    bool insert(std::string_view token);

private:
    std::unordered_set<std::string> exact_;
    std::unordered_set<std::uint64_t> hashed_;
};

/** More empty pages in a row than this are an error of the server. */
inline constexpr std::size_t max_empty_pages = 100;

} // namespace ccloud::core

#endif
