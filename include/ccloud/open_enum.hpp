#ifndef CCLOUD_OPEN_ENUM_HPP
#define CCLOUD_OPEN_ENUM_HPP

#include <string>
#include <string_view>
#include <utility>

namespace ccloud {

/** A word of the server's vocabulary that may grow at any time (`x-extensible-enum` in its documents).

    String-backed: a value this library does not know survives a round trip and prints as itself. `Tag` tells the
    vocabularies apart and holds the words that are known, e.g. `phase == private_link_phase::ready`. */
template <class Tag>
class open_enum
{
public:
    open_enum() = default;
    explicit open_enum(std::string word) noexcept : word_(std::move(word)) {}
    explicit open_enum(std::string_view word) : word_(word) {}
    explicit open_enum(char const* word) : word_(word) {}

    std::string const& str() const noexcept { return word_; }
    bool empty() const noexcept { return word_.empty(); }

    friend bool operator==(open_enum const&, open_enum const&) = default;
    friend bool operator==(open_enum const& value, std::string_view word) noexcept { return value.word_ == word; }

private:
    std::string word_;
};

} // namespace ccloud

#endif
