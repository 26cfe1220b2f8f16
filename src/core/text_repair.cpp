#include "core/text_repair.hpp"

#include "core/ascii.hpp"
#include "core/json_escape.hpp"
#include "core/utf8.hpp"

#include <algorithm>

namespace ccloud::core {

namespace {

constexpr std::size_t longest_piece = 2 * unicode_escape_size;

/** A part of a text that is copied as it is, or replaced: an escape or two, a character, or a run of plain text. */
struct piece
{
    std::size_t size;
    std::string_view replacement; ///< empty: it is copied
};

/** Whether a text ends within an escape, or before one. */
bool ends_within_escape(std::string_view text) noexcept
{
    if (text.size() >= unicode_escape_size || !std::string_view("\\u").starts_with(text.substr(0, 2)))
        return false;
    return text.size() <= 2 ||
           std::all_of(text.begin() + 2, text.end(), [](char c) { return hex_digit(c).has_value(); });
}

/** The piece that a text begins with, whose first character is a backslash. */
piece first_escape(std::string_view text) noexcept
{
    auto const unit = escaped_unit(text);
    if (!unit)
    {
        bool const of_two = text.size() > 1 && static_cast<unsigned char>(text[1]) < 0x80;
        return {of_two ? 2u : 1u, {}};
    }
    if (is_high_surrogate(*unit))
    {
        auto const after = text.substr(unicode_escape_size);
        if (auto const next = escaped_unit(after); next && is_low_surrogate(*next))
            return {longest_piece, {}};
        return {unicode_escape_size, ends_within_escape(after) ? "" : "\\ufffd"};
    }
    return {unicode_escape_size, is_low_surrogate(*unit) ? "\\ufffd" : ""};
}

/** The piece that a text begins with, which is not empty. */
piece first_piece(std::string_view text) noexcept
{
    auto const is_plain = [](char c) { return c != '\\' && static_cast<unsigned char>(c) < 0x80; };
    if (is_plain(text.front()))
        return {static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), is_plain) - text.begin()), {}};
    if (text.front() == '\\')
        return first_escape(text);
    auto const first = first_sequence(text);
    return {first.size, first.well_formed || first.cut_off ? std::string_view() : replacement_character};
}

} // namespace

bool text_repair::copy_some(std::size_t most)
{
    if (position_ == 0)
        copy_.reserve(text_.size() + std::min(2 * text_.size(), most_growth + replacement_character.size()));
    starts_.push_back({position_, copy_.size()});
    auto const end = position_ + std::min(most, text_.size() - position_);
    while (position_ < end)
    {
        auto const rest = text_.substr(position_, std::max(end - position_, longest_piece));
        auto const [size, replacement] = first_piece(rest);
        changed_ = changed_ || !replacement.empty();
        copy_ += replacement.empty() ? rest.substr(0, size) : replacement;
        position_ += size;
        if (copy_.size() > position_ + most_growth)
            return false;
    }
    return position_ < text_.size();
}

std::size_t text_repair::offset_in_text(std::size_t offset) const noexcept
{
    auto const after =
        std::find_if(starts_.rbegin(), starts_.rend(), [offset](start const& one) { return one.in_copy <= offset; });
    auto [position, copied] = after == starts_.rend() ? start{0, 0} : *after;
    while (position < position_ && copied < offset)
    {
        auto const rest = text_.substr(position, std::max(offset - copied, longest_piece));
        auto const [size, replacement] = first_piece(rest);
        auto const taken = replacement.empty() ? std::min(size, offset - copied) : size;
        position += taken;
        copied += replacement.empty() ? taken : replacement.size();
    }
    return position;
}

} // namespace ccloud::core
