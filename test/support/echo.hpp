#ifndef CCLOUD_TEST_SUPPORT_ECHO_HPP
#define CCLOUD_TEST_SUPPORT_ECHO_HPP

#include <ccloud/error.hpp>
#include <ccloud/observe.hpp>

#include <algorithm>
#include <cstddef>
#include <mutex>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/*  Credentials that a server sends back in many forms, and the search for them in what the library prints. The search
    shares no code with the library: it compares with every spelling of each byte. */

namespace support {

/** A spelling of a credential. */
struct echo
{
    std::string name;
    std::string text;
};

/** The names that HTML has for some characters. */
inline constexpr std::pair<char, std::string_view> html_names[] = {
    {'&', "amp"},   {'<', "lt"},     {'>', "gt"},     {'"', "quot"},   {'\'', "apos"},
    {'/', "sol"},   {'+', "plus"},   {'=', "equals"}, {'%', "percnt"}, {'\\', "bsol"},
    {':', "colon"}, {'@', "commat"}, {'.', "period"}, {'_', "lowbar"}};

inline std::string_view html_name(char c)
{
    for (auto const& [character, name] : html_names)
        if (character == c)
            return name;
    return {};
}

/** How one byte is spelled. */
inline std::string spelled(char c, char how)
{
    static constexpr char upper[] = "0123456789ABCDEF";
    static constexpr char lower[] = "0123456789abcdef";
    auto const byte = static_cast<unsigned char>(c);
    std::string const small{lower[byte >> 4], lower[byte & 15]};
    std::string const large{upper[byte >> 4], upper[byte & 15]};
    switch (how)
    {
    case '%': return "%" + large;
    case 'p': return "%" + small;
    case 'u': return "\\u00" + small;
    case 'U': return "\\u00" + large;
    case '&': return html_name(c).empty() ? "&#" + std::to_string(byte) + ';' : '&' + std::string(html_name(c)) + ';';
    case '#': return "&#" + std::to_string(byte) + ';';
    case 'x': return "&#x" + small + ';';
    case '\\': return c == '"' || c == '\\' || c == '/' ? std::string("\\") + c : std::string(1, c);
    default: return std::string(1, c);
    }
}

/** A text whose bytes are spelled as the letters of `how` say, in turn. Among escapes of JSON, quotation marks and
    backslashes are always escaped, because such a text would mean something else. */
inline std::string spelled(std::string_view text, std::string_view how)
{
    bool const in_json = how.find_first_of("uU\\") != std::string_view::npos;
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i)
    {
        char const letter = how[i % how.size()];
        out += spelled(text[i], in_json && letter == '.' && text[i] != '/' ? '\\' : letter);
    }
    return out;
}

/** The forms in which servers send a text back. */
inline std::vector<echo> echoes_of(std::string const& secret)
{
    std::vector<echo> all{{"as it is", secret}};
    for (std::string_view const how : {"%", "p", "u", "U", "\\", "%.p..", ".u", "..U%", "\\\\%\\", "&", "#.x", "..&"})
        all.push_back({"spelled " + std::string(how), spelled(secret, how)});
    all.push_back({"percent-encoded, then JSON", spelled(spelled(secret, "%"), "..u")});
    all.push_back({"JSON, then percent-encoded", spelled(spelled(secret, "\\"), "%.")});
    std::mt19937 dice(12);
    for (int round = 0; round < 4; ++round)
    {
        std::string how;
        for (std::size_t i = 0; i < secret.size(); ++i)
            how += std::string_view("....%puU")[dice() % 8];
        all.push_back({"spelled " + how, spelled(secret, how)});
    }
    return all;
}

/** A byte, and how many bytes of a text spell it. */
struct spelling
{
    char byte;
    std::size_t size;
};

/** The escape that a text begins with; else its first byte. */
inline spelling first_of(std::string_view text)
{
    auto const digits = [text](std::size_t at, std::size_t count) -> std::optional<int> {
        if (text.size() < at + count)
            return std::nullopt;
        int value = 0;
        for (char const c : text.substr(at, count))
        {
            auto const digit = std::string_view("0123456789abcdef0123456789ABCDEF").find(c);
            if (digit == std::string_view::npos)
                return std::nullopt;
            value = value * 16 + static_cast<int>(digit % 16);
        }
        return value;
    };
    if (text[0] == '%')
        if (auto const value = digits(1, 2))
            return {static_cast<char>(*value), 3};
    if (text.substr(0, 4) == "\\u00")
        if (auto const value = digits(4, 2))
            return {static_cast<char>(*value), 6};
    if (auto const end = text.substr(0, 10).find(';'); text[0] == '&' && end != std::string_view::npos)
    {
        auto const name = text.substr(1, end - 1);
        for (auto const& [character, known] : html_names)
            if (name == known)
                return {character, end + 1};
        bool const hex = name.starts_with("#x");
        if (name.starts_with('#') && name.size() > (hex ? 2U : 1U))
            return {
                static_cast<char>(std::stoi(std::string(name.substr(hex ? 2 : 1)), nullptr, hex ? 16 : 10)), end + 1};
    }
    if (text.size() > 1 && text[0] == '\\')
        return {text[1], 2};
    return {text[0], 1};
}

/** Whether `text` begins with a spelling of `secret`. */
inline bool begins_with_spelling(std::string_view text, std::string_view secret)
{
    if (secret.empty())
        return true;
    if (text.empty())
        return false;
    if (text[0] == secret[0] && begins_with_spelling(text.substr(1), secret.substr(1)))
        return true;
    auto const first = first_of(text);
    return first.size > 1 && first.byte == secret[0] && begins_with_spelling(text.substr(first.size), secret.substr(1));
}

inline bool shows(std::string_view text, std::string_view secret)
{
    for (; !text.empty(); text.remove_prefix(1))
        if (begins_with_spelling(text, secret))
            return true;
    return false;
}

/** A text without its escapes. */
inline std::string unescaped(std::string_view text)
{
    std::string out;
    while (!text.empty())
    {
        auto const first = first_of(text);
        out += first.byte;
        text.remove_prefix(first.size);
    }
    return out;
}

/** Whether a text shows a secret, also one that was escaped twice. */
inline bool leaks(std::string_view text, std::string_view secret)
{
    return shows(text, secret) || shows(unescaped(text), secret);
}

/** Whether a text shows eight bytes of a secret that follow each other, or all of a shorter one. */
inline bool shows_part(std::string_view text, std::string_view secret)
{
    constexpr std::size_t width = 8;
    auto const last = secret.size() - std::min(width, secret.size());
    for (; !text.empty(); text.remove_prefix(1))
    {
        auto const first = first_of(text).byte;
        for (std::size_t at = 0; at <= last; ++at)
            if ((secret[at] == text[0] || secret[at] == first) && begins_with_spelling(text, secret.substr(at, width)))
                return true;
    }
    return false;
}

/** The same for a text that may have been escaped twice. */
inline bool leaks_part(std::string_view text, std::string_view secret)
{
    return shows_part(text, secret) || shows_part(unescaped(text), secret);
}

/** Everything that an error lets a caller print, with the name of the place. */
using output = std::vector<std::pair<std::string, std::string>>;

inline void print(output& into, std::string const& where, ccloud::attempt const& one)
{
    into.emplace_back(where + ".request_id", one.request_id);
    into.emplace_back(where + ".hint_text", one.hint_text);
}

inline void print(output& into, std::string const& where, ccloud::response_info const& answer)
{
    answer.headers().for_each([&](std::string_view name, std::string_view value) {
        into.emplace_back(where + ".headers, name", name);
        into.emplace_back(where + ".headers, value of " + std::string(name), value);
    });
    into.emplace_back(where + ".headers, text", answer.headers().text());
    into.emplace_back(where + ".request_id", answer.request_id());
    into.emplace_back(where + ".location", answer.location());
    into.emplace_back(where + ".retry_after", answer.retry_after());
}

inline void print(output& into, std::string const& where, ccloud::error const& failure)
{
    into.emplace_back(where + ".what", failure.what());
    into.emplace_back(where + ".what of the exception", ccloud::api_exception(failure).what());
    into.emplace_back(where + ".detail", failure.detail());
    into.emplace_back(where + ".body", failure.body());
    into.emplace_back(where + ".path", failure.path());
    into.emplace_back(where + ".cause", failure.cause().message());
    for (auto const& told : failure.problems())
        for (auto const* text :
             {&told.id, &told.status, &told.code, &told.title, &told.detail, &told.pointer, &told.parameter,
              &told.resolution, &told.error_code, &told.message})
            into.emplace_back(where + ".problem", *text);
    for (auto const& one : failure.attempts())
        print(into, where + ".attempt", one);
    print(into, where + ".response", failure.response());
}

/** Writes down what an observer can print. */
class printing_observer final : public ccloud::observer
{
public:
    void attempt_end(ccloud::observed_call const& call, int, ccloud::attempt const& one) noexcept override
    {
        std::lock_guard const lock(mutex_);
        texts_.emplace_back("observer.path", call.path);
        print(texts_, "observer.attempt_end", one);
    }
    void connection_used(ccloud::observed_call const&, int, ccloud::connection_use const& use) noexcept override
    {
        std::lock_guard const lock(mutex_);
        if (use.connection)
            texts_.emplace_back("observer.proxy", use.connection->proxy);
    }
    void give_up(ccloud::observed_call const&, ccloud::error const& failure) noexcept override
    {
        std::lock_guard const lock(mutex_);
        print(texts_, "observer.give_up", failure);
    }

    output texts() const
    {
        std::lock_guard const lock(mutex_);
        return texts_;
    }

private:
    mutable std::mutex mutex_;
    output texts_;
};

} // namespace support

#endif
