#ifndef CCLOUD_CORE_TEXT_REPAIR_HPP
#define CCLOUD_CORE_TEXT_REPAIR_HPP

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ccloud::core {

/** Copies a JSON text, and replaces what is ill-formed in it by U+FFFD: bytes that are not UTF-8 by the character itself,
    the escape of an unpaired surrogate ("\ud800", RFC 8259 section 8.2) by "\ufffd". A character that the end of the text
    cuts off is kept. Does not look at the grammar: what is no JSON remains none.

    The text must outlive the object. */
class text_repair
{
public:
    /** Most bytes that replacements add to the copy. A text to which they add more is not repaired: it is binary,
        and copying it would block the executor. */
    static constexpr std::size_t most_growth = 1024 * 1024;

    explicit text_repair(std::string_view text) noexcept : text_(text) {}

    /** Copies up to `most` more bytes, or a few more. Returns whether there is more to copy. */
    bool copy_some(std::size_t most);

    /** Whether a character was replaced, and the copy is complete. */
    bool changed() const noexcept { return changed_ && position_ == text_.size(); }

    std::string const& copy() const noexcept { return copy_; }

    /** The byte of the text that byte `offset` of the copy was made from. Looks at no more of the text than one call of
        `copy_some` copied. */
    std::size_t offset_in_text(std::size_t offset) const noexcept;

private:
    /** Where a call of `copy_some` began. */
    struct start
    {
        std::size_t in_text;
        std::size_t in_copy;
    };

    std::string_view text_;
    std::size_t position_ = 0;
    bool changed_ = false;
    std::string copy_;
    std::vector<start> starts_;
};

} // namespace ccloud::core

#endif
