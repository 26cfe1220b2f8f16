#include "core/redaction.hpp"

#include "core/ascii.hpp"
#include "core/base64.hpp"
#include "core/json_escape.hpp"
#include "core/parsed_fields.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <utility>

namespace ccloud::core {

namespace {

/** How often a secret may have been escaped. */
constexpr int most_escapings = 3;

/** An escape at the beginning of a text. */
struct escape
{
    std::size_t size = 0; ///< 0: there is none
    std::string bytes;    ///< that it stands for; empty if the text ends within the escape
};

/** Appends a character, or a surrogate, in the form that UTF-8 has for such a number. */
void append_utf8(std::string& to, std::uint32_t code)
{
    auto const put = [&to](std::uint32_t byte) { to += static_cast<char>(static_cast<unsigned char>(byte)); };
    if (code < 0x80)
        return put(code);
    if (code >= 0x10000)
    {
        put(0xf0 | code >> 18);
        put(0x80 | (code >> 12 & 0x3f));
    }
    else if (code >= 0x800)
        put(0xe0 | code >> 12);
    if (code >= 0x800)
        put(0x80 | (code >> 6 & 0x3f));
    else
        put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
}

constexpr std::string_view ellipsis = "\xe2\x80\xa6"; // U+2026

bool may_have_escapes(std::string_view text) noexcept
{
    return text.find_first_of("%\\&") != std::string_view::npos;
}

/** Whether a text ends here, or goes on with the sign that something was left out. */
bool is_left_out(std::string_view rest, text_end end) noexcept
{
    return rest.empty() ? end == text_end::truncated : rest.starts_with(cut_mark) || rest.starts_with(ellipsis);
}

/** An escape of `prefix` bytes and a byte in two hexadecimal digits. */
escape byte_escape(std::string_view text, std::size_t prefix, text_end end)
{
    auto const digits = text.substr(prefix);
    if (auto const value = first_hexadecimal(digits, 2))
        return {prefix + 2, std::string(1, static_cast<char>(static_cast<unsigned char>(*value)))};
    std::size_t const there = !digits.empty() && hex_digit(digits.front()) ? 1 : 0;
    return is_left_out(digits.substr(there), end) ? escape{prefix + there, {}} : escape{};
}

/** `\uXXXX` of JSON, or two of them for a character beyond U+FFFF. */
escape unicode_escape(std::string_view text, text_end end)
{
    auto const unit = escaped_unit(text);
    if (!unit)
    {
        auto const there = std::min(text.find_first_not_of("0123456789abcdefABCDEF", 2), text.size());
        return is_left_out(text.substr(there), end) ? escape{there, {}} : escape{};
    }
    auto const low = is_high_surrogate(*unit) ? escaped_unit(text.substr(unicode_escape_size)) : std::nullopt;
    bool const is_pair = low && is_low_surrogate(*low);
    escape found;
    found.size = is_pair ? 2 * unicode_escape_size : unicode_escape_size;
    append_utf8(found.bytes, is_pair ? character_of(*unit, *low) : *unit);
    return found;
}

escape backslash_escape(std::string_view text, text_end end)
{
    if (is_left_out(text.substr(1), end))
        return {1, {}};
    if (text.size() < 2)
        return {};
    switch (text[1])
    {
    case 'u': return unicode_escape(text, end);
    case 'x': return byte_escape(text, 2, end);
    case 'b': return {2, "\b"};
    case 'f': return {2, "\f"};
    case 'n': return {2, "\n"};
    case 'r': return {2, "\r"};
    case 't': return {2, "\t"};
    case '"':
    case '\'':
    case '/':
    case '\\': return {2, std::string(1, text[1])};
    default: return {};
    }
}

/** The names that HTML has for characters of ASCII. */
struct named_character
{
    std::string_view name;
    char stands_for;
};
constexpr auto named_characters = std::to_array<named_character>({
    {"Tab", '\t'},     {"NewLine", '\n'}, {"excl", '!'},   {"quot", '"'},   {"QUOT", '"'},
    {"num", '#'},      {"dollar", '$'},   {"percnt", '%'}, {"amp", '&'},    {"AMP", '&'},
    {"apos", '\''},    {"lpar", '('},     {"rpar", ')'},   {"ast", '*'},    {"midast", '*'},
    {"plus", '+'},     {"comma", ','},    {"period", '.'}, {"sol", '/'},    {"colon", ':'},
    {"semi", ';'},     {"lt", '<'},       {"LT", '<'},     {"equals", '='}, {"gt", '>'},
    {"GT", '>'},       {"quest", '?'},    {"commat", '@'}, {"lsqb", '['},   {"lbrack", '['},
    {"bsol", '\\'},    {"rsqb", ']'},     {"rbrack", ']'}, {"Hat", '^'},    {"lowbar", '_'},
    {"UnderBar", '_'}, {"grave", '`'},    {"lcub", '{'},   {"lbrace", '{'}, {"DiacriticalGrave", '`'},
    {"verbar", '|'},   {"vert", '|'},     {"rcub", '}'},   {"rbrace", '}'}, {"VerticalLine", '|'},
});
constexpr std::size_t longest_reference = 18; // "&DiacriticalGrave;"
constexpr std::size_t longest_number = 10;    // "#x0001f600"; the value fits into 32 bits

/** `&amp;`, `&#43;` or `&#x2b;`. */
escape reference(std::string_view text, text_end end)
{
    auto const near = text.substr(1, longest_reference - 1);
    auto const end_of_name =
        std::find_if_not(near.begin(), near.end(), [](char c) { return c == '#' || is_alphanumeric(c); });
    auto name = near.substr(0, static_cast<std::size_t>(end_of_name - near.begin()));
    auto const rest = text.substr(1 + name.size());
    if (!rest.starts_with(';'))
    {
        auto const begins = [name](named_character const& one) { return one.name.starts_with(name); };
        bool const may_be_one = name.starts_with('#')
                                    ? name.size() <= longest_number
                                    : std::any_of(named_characters.begin(), named_characters.end(), begins);
        return may_be_one && is_left_out(rest, end) ? escape{1 + name.size(), {}} : escape{};
    }
    auto const size = name.size() + 2;
    for (auto const& one : named_characters)
        if (name == one.name)
            return {size, std::string(1, one.stands_for)};
    if (name.size() < 2 || name.size() > longest_number || name.front() != '#')
        return {};
    name.remove_prefix(1);
    std::optional<std::uint32_t> value;
    if (name.front() == 'x' || name.front() == 'X')
        value = first_hexadecimal(name.substr(1), name.size() - 1);
    else if (auto const number = parse_digits(name))
        value = static_cast<std::uint32_t>(*number);
    if (!value || *value > 0x10ffff)
        return {};
    escape found;
    found.size = size;
    append_utf8(found.bytes, *value);
    return found;
}

/** The escape that a text begins with. */
escape escape_of(std::string_view text, text_end end)
{
    switch (text.front())
    {
    case '%': return byte_escape(text, 1, end);
    case '\\': return backslash_escape(text, end);
    case '&': return reference(text, end);
    default: return {};
    }
}

/** Latin-1 as UTF-8: how servers write the bytes of a header field into JSON. */
std::string latin_1(std::string_view bytes)
{
    std::string text;
    for (char const c : bytes)
        append_utf8(text, static_cast<unsigned char>(c));
    return text;
}

} // namespace

/** A text, and where each of its bytes comes from. */
struct redactor::view
{
    std::string_view bytes;
    std::vector<std::size_t> const* origins = nullptr; ///< of each byte, and of the end; null: this is the original
    std::vector<std::size_t> const* ends = nullptr;    ///< of each byte; null: each ends where the next one begins

    std::size_t origin(std::size_t at) const noexcept { return origins ? (*origins)[at] : at; }

    /** Where the byte before `at` ends. */
    std::size_t end_before(std::size_t at) const noexcept { return ends ? (*ends)[at - 1] : origin(at); }
};

namespace {

/** A text whose escapes are resolved, or whose line breaks are left out. */
struct resolved_text
{
    std::string bytes;
    std::vector<std::size_t> origins;
    std::vector<std::size_t> ends; ///< only without line breaks
};

/** A text with one level of escapes resolved; nothing if it has no escapes. `origin` says where a byte of `text` comes
    from. */
template <class Origin>
std::optional<resolved_text> resolved(std::string_view text, Origin origin, text_end end)
{
    if (!may_have_escapes(text))
        return std::nullopt;
    resolved_text plain;
    plain.bytes.reserve(text.size());
    plain.origins.reserve(text.size() + 1);
    bool changed = false;
    auto const put = [&](char c, std::size_t from) {
        plain.bytes += c;
        plain.origins.push_back(origin(from));
    };
    for (std::size_t at = 0; at < text.size();)
    {
        auto const found = escape_of(text.substr(at), end);
        changed = changed || found.size > 0;
        if (found.size == 0)
            put(text[at], at);
        for (char const c : found.bytes)
            put(c, at);
        at += std::max<std::size_t>(found.size, 1);
    }
    if (!changed)
        return std::nullopt;
    plain.origins.push_back(origin(text.size()));
    return plain;
}

/** A text without its line breaks; nothing if it has none. */
template <class Origin>
std::optional<resolved_text> without_line_breaks(std::string_view text, Origin origin)
{
    constexpr std::string_view breaks = "\r\n";
    if (text.find_first_of(breaks) == std::string_view::npos)
        return std::nullopt;
    resolved_text joined;
    for (std::size_t at = 0; at < text.size(); ++at)
        if (breaks.find(text[at]) == std::string_view::npos)
        {
            joined.bytes += text[at];
            joined.origins.push_back(origin(at));
            joined.ends.push_back(origin(at + 1));
        }
    return joined;
}

} // namespace

void redactor::add(std::string_view secret)
{
    auto const add_with_blanks = [this](std::string text) {
        add_pattern(text);
        std::replace(text.begin(), text.end(), ' ', '+');
        add_pattern(std::move(text));
    };
    add_with_blanks(std::string(secret));
    auto const anywhere = [](std::size_t at) { return at; };
    auto plain = resolved(secret, anywhere, text_end::complete);
    for (int level = 1; plain && level <= most_escapings; ++level)
    {
        add_with_blanks(plain->bytes);
        plain = resolved(plain->bytes, anywhere, text_end::complete);
    }
    add_pattern(latin_1(secret));
    add_base64(secret);
}

void redactor::add_basic(std::string_view user, std::string_view password)
{
    add(password.empty() ? user : password);
    if (!user.empty() || !password.empty())
        add_base64(std::string(user).append(":").append(password));
}

bool redactor::is_too_short(std::string_view text, text_end end, std::string_view secret) noexcept
{
    return text.size() < secret.size() && end == text_end::complete && text.find(cut_mark) == std::string_view::npos &&
           text.find(ellipsis) == std::string_view::npos && !may_have_escapes(text) && !may_have_escapes(secret);
}

void redactor::add_base64(std::string_view bytes)
{
    pattern made{base64(bytes), {}, true, 0};
    auto const size = made.bytes.find_last_not_of('=') + 1;
    made.padding = made.bytes.size() - size; // often left out
    made.bytes.resize(size);
    add_pattern(std::move(made));
}

void redactor::add_pattern(std::string bytes)
{
    add_pattern(pattern{std::move(bytes), {}, false, 0});
}

void redactor::add_pattern(pattern made)
{
    auto const known = [&made](pattern const& one) {
        return one.bytes == made.bytes && one.is_base64 == made.is_base64;
    };
    if (made.bytes.empty() || std::any_of(patterns_.begin(), patterns_.end(), known))
        return;
    made.borders.resize(made.bytes.size() + 1);
    std::size_t border = 0;
    for (std::size_t i = 1; i < made.bytes.size(); ++i)
    {
        while (border > 0 && made.bytes[i] != made.bytes[border])
            border = made.borders[border];
        if (made.bytes[i] == made.bytes[border])
            ++border;
        made.borders[i + 1] = border;
    }
    patterns_.push_back(std::move(made));
    for (char const candidate : std::string_view("*#?-"))
        if (std::none_of(patterns_.begin(), patterns_.end(), [candidate](pattern const& one) {
                return one.bytes.find(candidate) != std::string::npos;
            }))
        {
            mask_ = candidate;
            break;
        }
}

void redactor::find(pattern const& secret, view const& text, text_end end, std::vector<range>& found)
{
    auto const bytes = text.bytes;
    auto const size = secret.bytes.size();
    bool const is_short = size < shortest_anywhere;
    auto const remove = [&](std::size_t from, std::size_t to) {
        found.push_back({text.origin(from), text.end_before(to)});
    };
    std::size_t matched = 0;
    for (std::size_t i = 0; i < bytes.size(); ++i)
    {
        while (matched > 0 && (matched == size || bytes[i] != secret.bytes[matched]))
            matched = secret.borders[matched];
        if (bytes[i] == secret.bytes[matched])
            ++matched;
        if (matched < shortest_beginning && matched < size)
            continue;
        auto next = i + 1;
        auto const from = next - matched;
        if (matched == size)
            for (auto left = secret.padding; left > 0 && next < bytes.size() && bytes[next] == '='; --left)
                ++next;
        bool const is_word = (from == 0 || !is_word_character(bytes[from - 1])) &&
                             (next == bytes.size() || !is_word_character(bytes[next]));
        if (matched < size ? !is_short && is_left_out(bytes.substr(next), end) : !is_short || is_word)
            remove(from, next);
    }
}

void redactor::redact(std::string& text, text_end end) const
{
    if (patterns_.empty())
        return;
    std::vector<range> found;
    std::optional<resolved_text> plain;
    view seen{text};
    auto const origin = [&seen](std::size_t at) { return seen.origin(at); };
    for (int level = 0; level <= most_escapings; ++level)
    {
        for (auto const& secret : patterns_)
            find(secret, seen, end, found);
        if (auto const joined = without_line_breaks(seen.bytes, origin))
            for (auto const& secret : patterns_)
                if (secret.is_base64)
                    find(secret, {joined->bytes, &joined->origins, &joined->ends}, end, found);
        auto next = resolved(seen.bytes, origin, end);
        if (!next)
            break;
        plain = std::move(next);
        seen = {plain->bytes, &plain->origins, nullptr};
    }
    if (found.empty())
        return;
    std::sort(found.begin(), found.end(), [](range const& a, range const& b) { return a.begin < b.begin; });
    std::string out;
    std::size_t done = 0;
    for (auto const& [from, to] : found)
    {
        if (from >= done)
            out.append(text, done, from - done).append(3, mask_);
        done = std::max(done, to);
    }
    text = std::move(out.append(text, done));
}

std::string redactor::redacted(std::string_view text, text_end end) const
{
    std::string copy(text);
    redact(copy, end);
    return copy;
}

http_headers redactor::redacted(http_headers const& fields) const
{
    if (patterns_.empty())
        return fields;
    http_headers clean;
    fields.for_each([&](std::string_view name, std::string_view value) {
        detail::parsed_fields::add(clean, redacted(name), redacted(value));
    });
    return clean;
}

} // namespace ccloud::core
