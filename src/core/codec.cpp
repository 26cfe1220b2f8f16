#include "core/codec.hpp"

#include "core/ascii.hpp"
#include "core/text_repair.hpp"
#include "core/utf8.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/value_stack.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <new>

namespace ccloud::core {

namespace json = boost::json;
using boost::system::error_code;

namespace {

constexpr std::size_t max_depth = 32;

/** Bytes of memory that one value of a collected object takes, in the object and on the stack of values. */
constexpr std::size_t collected_value_bytes = 96;

/** A one-of is collected and then read without a pause, so a long one would block the executor. Real ones have a few
    hundred bytes. */
constexpr std::size_t most_collected_bytes = 1024 * 1024;

/** Finds the braces of valid JSON, except those in strings. */
class brace_scanner
{
public:
    brace_scanner(std::string_view text, std::size_t position) noexcept : text_(text), position_(position) {}

    /** Advances past the next brace and returns it; returns 0 if there is none. */
    char next() noexcept
    {
        while (position_ < text_.size())
        {
            char const c = text_[position_++];
            if (c == '{' || c == '}')
                return c;
            if (c == '"')
                pass_string();
        }
        return 0;
    }

    std::size_t position() const noexcept { return position_; }

private:
    void pass_string() noexcept
    {
        while (position_ < text_.size())
        {
            char const c = text_[position_++];
            if (c == '"')
                return;
            if (c == '\\')
                ++position_;
        }
    }

    std::string_view text_;
    std::size_t position_;
};

/** Takes the parser's events and puts values where the description says. */
class event_handler
{
public:
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

    /** `document` is what the parser reads. The values may take up to `memory` bytes, by estimate. */
    event_handler(std::string_view document, slot root, std::size_t memory) noexcept
        : document_(document), next_(root), memory_(memory), memory_left_(memory)
    {
        top_ = ::new (stack_.data()) frame();
    }
    event_handler(event_handler const&) = delete;
    event_handler& operator=(event_handler const&) = delete;

    bool on_document_begin(error_code&) noexcept { return true; }
    bool on_document_end(error_code&) noexcept { return true; }

    [[gnu::always_inline]] bool on_object_begin(error_code& failed)
    {
        ++objects_;
        return begin_object(failed);
    }

    [[gnu::always_inline]] bool on_object_end(std::size_t size, error_code& failed)
    {
        if (collecting_)
        {
            collected_.push_object(size);
            return --collecting_ > 0 || finish_collection(failed);
        }
        if (skipping_)
            return --skipping_, true;
        --top_;
        return true;
    }

    [[gnu::always_inline]] bool on_array_begin(error_code& failed)
    {
        if (collecting_)
            return ++collecting_, collect(1, 0, failed);
        if (skipping_)
            return ++skipping_, true;
        if (!place(failed))
            return false;
        if (!next_.type)
            return ++skipping_, true;
        if (!next_.type->array)
            return skip_or_refuse("an array", failed);
        auto const most = next_.type->array(next_.to);
        return charge(next_.type->element_bytes, failed) && push(next_, true, failed, most);
    }

    bool on_array_end(std::size_t size, error_code&)
    {
        if (collecting_)
        {
            collected_.push_array(size);
            --collecting_;
            return true;
        }
        if (skipping_)
            return --skipping_, true;
        --top_;
        return true;
    }

    bool on_key_part(json::string_view part, std::size_t, error_code& failed) { return append(part, failed); }

    bool on_key(json::string_view part, std::size_t, error_code& failed)
    {
        if (collecting_)
        {
            collected_.push_key(part);
            return collect(0, part.size(), failed);
        }
        if (skipping_)
            return true;
        auto const& object = top_->target;
        ::new (&next_) slot(object.type->member(object.to, join(part))); // without a copy between
        text_.clear();
        last_key_end_ = part.data() + part.size();
        objects_at_key_ = objects_;
        return true;
    }

    bool on_string_part(json::string_view part, std::size_t, error_code& failed) { return append(part, failed); }

    [[gnu::always_inline]] bool on_string(json::string_view part, std::size_t, error_code& failed)
    {
        if (collecting_)
        {
            collected_.push_string(part);
            return collect(1, part.size(), failed);
        }
        if (skipping_)
            return true;
        if (!place(failed))
            return false;
        if (next_.type)
        {
            auto const value = join(part);
            if (!next_.type->text)
            {
                if (!refuse(next_, "a string", failed))
                    return false;
            }
            else
            {
                if (!charge(value.size(), failed))
                    return false;
                next_.type->text(next_.to, value);
            }
        }
        text_.clear();
        return true;
    }

    bool on_number_part(json::string_view, error_code&) noexcept { return true; }

    bool on_int64(std::int64_t value, json::string_view, error_code& failed)
    {
        if (collecting_)
        {
            collected_.push_int64(value);
            return collect(1, 0, failed);
        }
        if (skipping_)
            return true;
        if (!place(failed))
            return false;
        if (!next_.type)
            return true;
        if (!next_.type->integer)
            return refuse(next_, "a number", failed);
        next_.type->integer(next_.to, value);
        return true;
    }

    bool on_uint64(std::uint64_t value, json::string_view, error_code& failed)
    {
        if (collecting_)
        {
            collected_.push_uint64(value);
            return collect(1, 0, failed);
        }
        return scalar("a number", failed);
    }

    bool on_double(double value, json::string_view, error_code& failed)
    {
        if (collecting_)
        {
            collected_.push_double(value);
            return collect(1, 0, failed);
        }
        if (skipping_)
            return true;
        if (!place(failed))
            return false;
        if (!next_.type)
            return true;
        if (!next_.type->real)
            return refuse(next_, "a number", failed);
        next_.type->real(next_.to, value);
        return true;
    }

    bool on_bool(bool value, error_code& failed)
    {
        if (collecting_)
        {
            collected_.push_bool(value);
            return collect(1, 0, failed);
        }
        return scalar("a boolean", failed);
    }

    bool on_null(error_code& failed)
    {
        if (collecting_)
        {
            collected_.push_null();
            return collect(1, 0, failed);
        }
        if (skipping_)
            return true;
        if (top_->list)
            return count_element(failed);                              // no element at all
        return top_ != stack_.data() || refuse(next_, "null", failed); // keeps its default
    }

    bool on_comment_part(json::string_view, error_code&) noexcept { return true; }
    bool on_comment(json::string_view, error_code&) noexcept { return true; }

    /** JSON pointer to the value that is being read. */
    std::string path() const
    {
        std::string text;
        for (frame const* at = stack_.data(); at <= top_; ++at)
            append_step(text, *at);
        if (!refused_.empty())
            text.append("/").append(refused_);
        return text;
    }

    std::string const& refusal() const noexcept { return refusal_; }

    /** The kind of the complaint, if the events led to one. */
    complaint::kind kind() const noexcept { return kind_; }

private:
    struct frame
    {
        slot target;
        bool list = false;
        std::size_t most = 0; ///< elements of a list
        std::size_t count = 0;
    };

    static void append_step(std::string& text, frame const& at)
    {
        if (!at.target.name.empty())
            text.append("/").append(at.target.name);
        if (at.list && at.count > 0)
            text.append("/").append(std::to_string(at.count - 1));
    }

    /** Sets `next_` to the place of the value that begins. Not to be called for values that are skipped. */
    [[gnu::always_inline]] bool place(error_code& failed)
    {
        if (!top_->list)
            return true; // the root or a member, whose place is known
        if (!count_element(failed))
            return false;
        auto const& list = top_->target;
        if (!take_memory(list.type->element_bytes))
            return refuse_memory({}, failed);
        ::new (&next_) slot(list.type->element(list.to));
        return true;
    }

    bool count_element(error_code& failed) { return ++top_->count <= top_->most || refuse_element(failed); }

    /** Subtracts `bytes` from the memory that is left for values, if it is enough. */
    bool take_memory(std::size_t bytes) noexcept
    {
        if (bytes > memory_left_) [[unlikely]]
            return false;
        memory_left_ -= bytes;
        return true;
    }

    /** The same, for the value that goes to `next_`. */
    bool charge(std::size_t bytes, error_code& failed)
    {
        return take_memory(bytes) || refuse_memory(next_.name, failed);
    }

    /** The same for a collected object: its values, the characters of its keys and texts, and its own text. */
    bool collect(std::size_t values, std::size_t chars, error_code& failed)
    {
        auto const bytes = values * collected_value_bytes + chars;
        collected_bytes_ += bytes;
        if (collected_bytes_ > most_collected_bytes)
            return refuse_collection(failed);
        return take_memory(bytes) || refuse_memory(collected_for_.name, failed);
    }

    /** Appends a part of a key or text whose rest is to come. */
    bool append(json::string_view part, error_code& failed)
    {
        if (collecting_)
        {
            collected_.push_chars(part);
            return collect(0, part.size(), failed);
        }
        if (!skipping_)
            text_.append(part.data(), part.size());
        return true;
    }

    /** Begins the object of a one-of. Notes where it is: after the last key, or, if the parser copied the end of that key
        (it has an escape, or a slice ended within a character), after the last place that was noted. */
    [[gnu::noinline]] bool begin_collection(error_code& failed)
    {
        auto const key_end = reinterpret_cast<std::uintptr_t>(last_key_end_);
        auto const offset = key_end - reinterpret_cast<std::uintptr_t>(document_.data());
        if (offset > marked_ && offset < document_.size()) // an address before the document becomes a large offset
            mark(offset + 1, objects_at_key_);             // and the quotation mark
        collecting_ = 1;
        collected_for_ = next_;
        collected_bytes_ = 0;
        collected_object_ = objects_ - objects_at_mark_;
        collected_.reset();
        return collect(1, 0, failed);
    }

    void mark(std::size_t position, std::size_t objects) noexcept
    {
        marked_ = position;
        objects_at_mark_ = objects;
    }

    [[gnu::always_inline]] bool begin_object(error_code& failed)
    {
        if (collecting_)
            return ++collecting_, collect(1, 0, failed);
        if (skipping_)
            return ++skipping_, true;
        if (!std::exchange(chosen_, false) && !place(failed))
            return false;
        if (!next_.type)
            return ++skipping_, true;
        if (next_.type->choose)
            return begin_collection(failed);
        if (!next_.type->member)
            return skip_or_refuse("an object", failed);
        return push(next_, false, failed);
    }

    bool push(slot const& target, bool list, error_code& failed, std::size_t most = 0)
    {
        if (top_ == &stack_[max_depth])
        {
            failed = json::error::too_deep;
            return false;
        }
        ::new (++top_) frame{target, list, most, 0};
        return true;
    }

    // Refusals are not inlined, so that the events of sound documents are.

    [[gnu::cold, gnu::noinline]] bool refuse_element(error_code& failed)
    {
        refusal_ = top_->target.type->too_many(top_->target.to);
        return stop(complaint::kind::too_many, failed);
    }

    [[gnu::cold, gnu::noinline]] bool refuse_memory(std::string_view name, error_code& failed)
    {
        refused_ = name;
        refusal_ = "the values take more than " + std::to_string(memory_) + " bytes of memory";
        return stop(complaint::kind::too_large, failed);
    }

    [[gnu::cold, gnu::noinline]] bool refuse_collection(error_code& failed)
    {
        refused_ = collected_for_.name;
        refusal_ = "the object takes more than " + std::to_string(most_collected_bytes) + " bytes of memory";
        return stop(complaint::kind::malformed, failed);
    }

    bool stop(complaint::kind kind, error_code& failed) noexcept
    {
        kind_ = kind;
        failed = json::error::not_object; // any will do: the text is ours
        return false;
    }

    /** Refuses a value whose kind does not fit, or returns true if the value is to be skipped. */
    [[gnu::cold, gnu::noinline]] bool refuse(slot const& target, char const* found, error_code& failed)
    {
        if (target.type->other_kind)
        {
            target.type->other_kind(target.to, found);
            return true;
        }
        refused_ = target.name;
        refusal_ = std::string("expected ") + target.type->expected + ", found " + found;
        return stop(complaint::kind::malformed, failed);
    }

    /** The same for an object or a list. */
    bool skip_or_refuse(char const* found, error_code& failed) { return refuse(next_, found, failed) && ++skipping_; }

    bool scalar(char const* found, error_code& failed)
    {
        if (skipping_)
            return true;
        return place(failed) && (!next_.type || refuse(next_, found, failed));
    }

    std::string_view join(json::string_view last)
    {
        if (text_.empty())
            return {last.data(), last.size()};
        text_.append(last.data(), last.size());
        return text_;
    }

    bool finish_collection(error_code& failed)
    {
        json::value const whole = collected_.release();
        auto const target = collected_for_;
        next_ = target.type->choose(target.to, whole.get_object());
        next_.name = target.name;
        if (next_.type->text)
            return take_collected_text(failed);
        chosen_ = true;
        return replay(whole, failed);
    }

    /** Stores the bytes of the collected object, which has just ended, in its place. */
    bool take_collected_text(error_code& failed)
    {
        brace_scanner walk(document_, marked_);
        for (std::size_t passed = 0; passed < collected_object_;)
            passed += walk.next() != '}';
        auto const begin = walk.position() - 1;
        for (std::size_t open = 1; open > 0;)
            walk.next() == '{' ? ++open : --open;
        auto const text = document_.substr(begin, walk.position() - begin);
        mark(walk.position(), objects_);
        if (!collect(0, text.size(), failed))
            return false;
        next_.type->text(next_.to, text);
        return true;
    }

    /** Gives a collected value to the handler once more, as events. */
    bool replay(json::value const& value, error_code& failed)
    {
        switch (value.kind())
        {
        case json::kind::object:
            if (!begin_object(failed))
                return false;
            for (auto const& member : value.get_object())
                if (!on_key(member.key(), member.key().size(), failed) || !replay(member.value(), failed))
                    return false;
            return on_object_end(value.get_object().size(), failed);
        case json::kind::array:
            if (!on_array_begin(failed))
                return false;
            for (auto const& element : value.get_array())
                if (!replay(element, failed))
                    return false;
            return on_array_end(value.get_array().size(), failed);
        case json::kind::string: return on_string(value.get_string(), value.get_string().size(), failed);
        case json::kind::int64: return on_int64(value.get_int64(), {}, failed);
        case json::kind::uint64: return on_uint64(value.get_uint64(), {}, failed);
        case json::kind::double_: return on_double(value.get_double(), {}, failed);
        case json::kind::bool_: return on_bool(value.get_bool(), failed);
        case json::kind::null: return on_null(failed);
        }
        return true;
    }

    std::string_view document_;
    std::size_t objects_ = 0;            // that have begun
    std::size_t marked_ = 0;             // a place in the document that is in no string
    std::size_t objects_at_mark_ = 0;    // that begin before it
    char const* last_key_end_ = nullptr; // is only compared, because it may point to a buffer of the parser
    std::size_t objects_at_key_ = 0;     // that begin before that key
    slot next_;                          // where the value that begins goes
    // Frames are made when they are needed. The first is for the document.
    union
    {
        std::array<frame, max_depth + 1> stack_;
    };
    frame* top_;
    std::size_t skipping_ = 0;
    std::size_t collecting_ = 0;
    std::size_t collected_bytes_ = 0;
    std::size_t collected_object_ = 0; // which one it is behind the mark, the first being 1
    slot collected_for_;
    bool chosen_ = false; // the object that comes next has its place already
    std::size_t memory_;
    std::size_t memory_left_;
    json::value_stack collected_;
    std::string text_;
    std::string refused_;
    std::string refusal_;
    complaint::kind kind_ = complaint::kind::malformed;
};

bool is_blank(std::string_view text) noexcept
{
    bool blank = true; // looks at the whole text, which compilers do for many characters at once
    for (char const c : text)
        blank &= c == ' ' || c == '\t' || c == '\r' || c == '\n';
    return blank;
}

std::string describe(error_code failed)
{
    if (failed == json::error::incomplete)
        return "the document ends too early";
    if (failed == json::error::too_deep)
        return "nested more than " + std::to_string(max_depth) + " deep";
    return "not valid JSON (" + failed.message() + ")";
}

json::parse_options options_for(bool validate_utf8) noexcept
{
    json::parse_options options;
    options.max_depth = max_depth;
    options.allow_invalid_utf8 = !validate_utf8;
    return options;
}

/** Parses one document, whole or in slices. */
class reading
{
public:
    reading(std::string_view document, slot root, std::size_t memory, bool validate_utf8)
        : document_(document), read_(byte_order_mark_size(document)),
          parser_(options_for(validate_utf8), document, root, memory)
    {
    }

    /** Reads up to `most` more bytes. Returns whether there is more to read. */
    bool read_some(std::size_t most)
    {
        auto const part = document_.substr(read_, most);
        bool const more = read_ + part.size() < document_.size();
        error_code failed;
        auto const consumed = parser_.write_some(more, part.data(), part.size(), failed);
        read_ += consumed;
        if (failed)
            fail(failed);
        else if (consumed < part.size())
            wrong_ = complaint{{}, read_, "something follows the document"};
        return more && !wrong_;
    }

    std::optional<complaint>& wrong() noexcept { return wrong_; }

    /** Whether the fault may be ill-formed text: Boost.JSON has no error of its own for it. */
    bool may_be_ill_formed_text() const noexcept { return ill_formed_text_; }

private:
    [[gnu::cold, gnu::noinline]] void fail(error_code failed)
    {
        auto const& handler = parser_.handler();
        if (failed == json::error::incomplete && is_blank(document_.substr(byte_order_mark_size(document_))))
        {
            wrong_ = complaint{{}, 0, "the body is empty"};
            return;
        }
        wrong_ = complaint{
            handler.path(), read_, handler.refusal().empty() ? describe(failed) : handler.refusal(), handler.kind()};
        ill_formed_text_ = failed == json::error::syntax || failed == json::error::incomplete ||
                           failed == json::error::illegal_leading_surrogate ||
                           failed == json::error::illegal_trailing_surrogate ||
                           failed == json::error::expected_hex_digit;
    }

    std::string_view document_;
    std::size_t read_;
    json::basic_parser<event_handler> parser_;
    std::optional<complaint> wrong_;
    bool ill_formed_text_ = false;
};

/** Reads a document; if that fails at what may be ill-formed text, copies the document, with U+FFFD in place of such text,
    and reads the copy. */
class repairing_reader
{
public:
    repairing_reader(std::string_view document, slot root, std::size_t memory, bool validate_utf8)
        : document_(document), root_(root), memory_(memory)
    {
        reading_.emplace(document, root, memory, validate_utf8);
    }

    bool read_some(std::size_t most)
    {
        if (copying_)
            return copy_some(most);
        bool const more = reading_->read_some(most);
        if (more || repair_ || !reading_->may_be_ill_formed_text())
            return more;
        repair_.emplace(document_);
        return copying_ = true;
    }

    std::optional<complaint> take_complaint() noexcept
    {
        if (copying_)
            return std::nullopt;
        auto wrong = std::move(reading_->wrong());
        if (wrong && repair_ && repair_->changed())
            wrong->offset = repair_->offset_in_text(wrong->offset);
        return wrong;
    }

private:
    [[gnu::cold]] bool copy_some(std::size_t most)
    {
        if (repair_->copy_some(most))
            return true;
        copying_ = false;
        if (repair_->changed())
            reading_.emplace(repair_->copy(), root_, memory_, false);
        return repair_->changed();
    }

    std::string_view document_;
    slot root_;
    std::size_t memory_;
    std::optional<reading> reading_;
    std::optional<text_repair> repair_;
    bool copying_ = false;
};

} // namespace

std::string complaint::to_string() const
{
    return (path.empty() ? std::string("/") : path) + ": " + text + ", at byte " + std::to_string(offset);
}

std::size_t byte_order_mark_size(std::string_view document) noexcept
{
    constexpr std::string_view mark = "\xef\xbb\xbf";
    return document.starts_with(mark) ? mark.size() : 0;
}

std::optional<complaint> read_document(std::string_view document, slot root, std::size_t memory)
{
    // ASCII has no invalid UTF-8, and is read faster without the search for it.
    repairing_reader whole(document, root, memory, !is_ascii(document));
    while (whole.read_some(any_number))
        ;
    return whole.take_complaint();
}

class document_reader::state : public repairing_reader
{
public:
    using repairing_reader::repairing_reader;
};

document_reader::document_reader(std::string_view document, slot root, std::size_t memory)
    : state_(std::make_unique<state>(document, root, memory, true))
{
}

document_reader::~document_reader() = default;

bool document_reader::read_some(std::size_t most)
{
    return state_->read_some(most);
}

std::optional<complaint> document_reader::take_complaint() noexcept
{
    return state_->take_complaint();
}

std::optional<std::int64_t> count_of(std::int64_t number) noexcept
{
    return number >= 0 ? std::optional(number) : std::nullopt;
}

std::optional<std::int64_t> count_of(double number) noexcept
{
    constexpr double largest = 9007199254740992; // 2^53; comparisons with NaN are false
    bool const plain = number >= 0 && number <= largest && std::trunc(number) == number;
    return plain ? std::optional(static_cast<std::int64_t>(number)) : std::nullopt;
}

std::optional<std::int64_t> count_of(std::string_view text) noexcept
{
    text = trim(text);
    auto const read = [text](auto number) -> std::optional<std::int64_t> {
        auto const* const end = text.data() + text.size();
        auto const [stop, failed] = std::from_chars(text.data(), end, number);
        return failed == std::errc() && stop == end ? count_of(number) : std::nullopt;
    };
    auto const integer = read(std::int64_t());
    return integer ? integer : read(double());
}

std::string_view plain_kind(json::object const& whole) noexcept
{
    auto const* kind = whole.if_contains("kind");
    if (!kind || !kind->is_string())
        return {};
    std::string_view const text(kind->get_string().data(), kind->get_string().size());
    return text.substr(text.rfind('.') + 1);
}

} // namespace ccloud::core
