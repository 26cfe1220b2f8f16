#ifndef CCLOUD_CORE_REDACTION_HPP
#define CCLOUD_CORE_REDACTION_HPP

#include <ccloud/http.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace ccloud::core {

/** Marks the end of a text that was cut. The beginning of a secret is removed before it, so every text that is cut and
    may hold a secret has to end in it. */
inline constexpr std::string_view cut_mark = "...";

/** Where the end of a text is. */
enum class text_end : unsigned char {
    complete,  ///< as its author ended it
    truncated, ///< the rest was dropped, or never came
};

/** The secrets of a client, and how they are removed from texts that a server may have written: it may send back what it
    was sent. Each occurrence becomes "***"; if a secret has a "*", it becomes "###", "???" or "---".

    An occurrence is the secret as it is, or its Base64 (RFC 4648 section 4) with or without padding, and with any line
    breaks; or one of these with any of its bytes escaped: percent-encoded (RFC 3986 section 2.1), with "+" for each blank
    (the form encoding of URLs), as in a JSON text (RFC 8259 section 7), as `\xNN` (see `printable`), or as a character
    reference of HTML (a number, or the name of an ASCII character); also if the result was escaped up to two more times.
    Where a text is truncated, and before an ellipsis (`cut_mark`, or U+2026), the beginning of a secret is an occurrence,
    too, if it has at least `shortest_beginning` bytes. A secret of less than `shortest_anywhere` bytes is removed only if
    it is a whole word, and its beginning never.

    The time is linear in the size of the text, whatever the text is. */
class redactor
{
public:
    static constexpr std::size_t shortest_anywhere = 8;
    static constexpr std::size_t shortest_beginning = 4;

    /** From now on removes this secret, too; nothing happens if it is empty, or known. */
    void add(std::string_view secret);

    /** The same for the credentials of "Basic" (RFC 7617): the password, and the Base64 of user and password. Without a
        password the user is the secret. */
    void add_basic(std::string_view user, std::string_view password);

    bool empty() const noexcept { return patterns_.empty(); }

    /** Whether a text has no occurrence of `secret` because it is shorter, and nothing in it shows that it was cut or
        escaped. A secret that looks escaped may come back without its escapes, and thus be shorter than it is. */
    static bool is_too_short(std::string_view text, text_end end, std::string_view secret) noexcept;

    /** Removes the secrets from a text. A text without a secret is not touched, and needs no memory if it has no escapes
        and no line breaks either. */
    void redact(std::string& text, text_end end = text_end::complete) const;

    /** A copy of header fields without secrets in their names and values. */
    http_headers redacted(http_headers const& fields) const;

    /** A copy without secrets. */
    std::string redacted(std::string_view text, text_end end = text_end::complete) const;

private:
    /** A byte string to search for, by the algorithm of Knuth, Morris and Pratt. */
    struct pattern
    {
        std::string bytes;
        std::vector<std::size_t> borders; ///< of each prefix: the longest proper prefix that is also its suffix
        bool is_base64 = false;
        std::size_t padding = 0; ///< how many "=" may follow
    };

    /** A range of a text that is to be removed. */
    struct range
    {
        std::size_t begin;
        std::size_t end;
    };

    struct view;

    void add_pattern(std::string bytes);
    void add_base64(std::string_view bytes);
    void add_pattern(pattern made);
    static void find(pattern const& secret, view const& text, text_end end, std::vector<range>& found);

    std::vector<pattern> patterns_;
    char mask_ = '*'; ///< not part of any secret, so that no occurrence arises from a removal
};

} // namespace ccloud::core

#endif
