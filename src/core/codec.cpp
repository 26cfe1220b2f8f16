#include "core/codec.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_stack.hpp>

#include <algorithm>
#include <array>
#include <new>

namespace ccloud::core {

namespace json = boost::json;
using boost::system::error_code;

namespace {

/** Takes the parser's events and puts values where the description says. */
class event_handler
{
public:
    static constexpr std::size_t max_object_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_array_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_key_size = static_cast<std::size_t>(-1);
    static constexpr std::size_t max_string_size = static_cast<std::size_t>(-1);

    explicit event_handler(slot root) noexcept : next_(root) {}

    bool on_document_begin(error_code&) noexcept { return true; }
    bool on_document_end(error_code&) noexcept { return true; }

    bool on_object_begin(error_code& failed)
    {
        if (collecting_)
            return ++collecting_, true;
        if (!std::exchange(chosen_, false) && skip())
            return ++skipping_, true;
        if (next_.type->choose)
        {
            collecting_ = 1;
            collected_for_ = next_;
            collected_.reset();
            return true;
        }
        if (!next_.type->member)
            return refuse(next_, "an object", failed);
        return push(next_, false, failed);
    }

    bool on_object_end(std::size_t size, error_code& failed)
    {
        if (collecting_)
        {
            collected_.push_object(size);
            return --collecting_ > 0 || finish_collection(failed);
        }
        if (skipping_)
            return --skipping_, true;
        --depth_;
        return true;
    }

    bool on_array_begin(error_code& failed)
    {
        if (collecting_)
            return ++collecting_, true;
        if (skip())
            return ++skipping_, true;
        if (!next_.type->array)
            return refuse(next_, "an array", failed);
        next_.type->array(next_.to);
        return push(next_, true, failed);
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
        --depth_;
        return true;
    }

    bool on_key_part(json::string_view part, std::size_t, error_code&)
    {
        if (collecting_)
            collected_.push_chars(part);
        else if (!skipping_)
            text_.append(part.data(), part.size());
        return true;
    }

    bool on_key(json::string_view part, std::size_t, error_code&)
    {
        if (collecting_)
        {
            collected_.push_key(part);
            return true;
        }
        if (skipping_)
            return true;
        auto& top = stack_[depth_ - 1];
        ::new (&next_) slot(top.target.type->member(top.target.to, join(part))); // without a copy between
        text_.clear();
        return true;
    }

    bool on_string_part(json::string_view part, std::size_t, error_code&)
    {
        if (collecting_)
            collected_.push_chars(part);
        else if (!skipping_)
            text_.append(part.data(), part.size());
        return true;
    }

    bool on_string(json::string_view part, std::size_t, error_code& failed)
    {
        if (collecting_)
        {
            collected_.push_string(part);
            return true;
        }
        if (!skip())
        {
            if (!next_.type->text)
                return refuse(next_, "a string", failed);
            next_.type->text(next_.to, join(part));
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
            return true;
        }
        if (skip())
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
            return true;
        }
        return scalar("a number", failed);
    }

    bool on_double(double value, json::string_view, error_code& failed)
    {
        if (collecting_)
        {
            collected_.push_double(value);
            return true;
        }
        return scalar("a number", failed);
    }

    bool on_bool(bool value, error_code& failed)
    {
        if (collecting_)
        {
            collected_.push_bool(value);
            return true;
        }
        return scalar("a boolean", failed);
    }

    bool on_null(error_code& failed)
    {
        if (collecting_)
        {
            collected_.push_null();
            return true;
        }
        if (skipping_)
            return true;
        if (depth_ > 0 && stack_[depth_ - 1].list)
        {
            ++stack_[depth_ - 1].count; // no element at all
            return true;
        }
        return depth_ > 0 || refuse(next_, "null", failed); // keeps its default
    }

    bool on_comment_part(json::string_view, error_code&) noexcept { return true; }
    bool on_comment(json::string_view, error_code&) noexcept { return true; }

    /** JSON pointer to the value that is being read. */
    std::string path() const
    {
        std::string text;
        for (std::size_t i = 0; i < depth_; ++i)
            append_step(text, stack_[i]);
        if (!refused_.empty())
            text.append("/").append(refused_);
        return text;
    }

    std::string const& refusal() const noexcept { return refusal_; }

private:
    static constexpr std::size_t max_depth = 32;

    struct frame
    {
        slot target;
        bool list = false;
        std::size_t count = 0;
    };

    static void append_step(std::string& text, frame const& at)
    {
        if (!at.target.name.empty())
            text.append("/").append(at.target.name);
        if (at.list && at.count > 0)
            text.append("/").append(std::to_string(at.count - 1));
    }

    /** Whether the value that begins is to be passed by. */
    bool skip()
    {
        if (skipping_)
            return true;
        if (depth_ > 0 && stack_[depth_ - 1].list)
        {
            auto& top = stack_[depth_ - 1];
            ++top.count;
            ::new (&next_) slot(top.target.type->element(top.target.to));
        }
        return next_.type == nullptr;
    }

    bool push(slot const& target, bool list, error_code& failed)
    {
        if (depth_ == max_depth)
        {
            failed = json::error::too_deep;
            return false;
        }
        ::new (&stack_[depth_++]) frame{target, list, 0};
        return true;
    }

    bool refuse(slot const& target, char const* found, error_code& failed)
    {
        refused_ = target.name;
        refusal_ = std::string("expected ") + target.type->expected + ", found " + found;
        failed = json::error::not_object; // any will do: the text is ours
        return false;
    }

    bool scalar(char const* found, error_code& failed) { return skip() || refuse(next_, found, failed); }

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
        if (!next_.type)
            return true;
        next_.name = target.name;
        chosen_ = true;
        return replay(whole, failed);
    }

    /** Gives a collected value to the handler once more, as events. */
    bool replay(json::value const& value, error_code& failed)
    {
        switch (value.kind())
        {
        case json::kind::object:
            if (!on_object_begin(failed))
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

    slot next_; // where the value that begins goes
    // Frames are made when they are needed.
    union
    {
        std::array<frame, max_depth> stack_;
    };
    std::size_t depth_ = 0;
    std::size_t skipping_ = 0;
    std::size_t collecting_ = 0;
    slot collected_for_;
    bool chosen_ = false; // the object that comes next has its place already
    json::value_stack collected_;
    std::string text_;
    std::string refused_;
    std::string refusal_;
};

bool is_ascii(std::string_view text) noexcept
{
    unsigned char all = 0; // looks at all of it, which compilers do for many characters at once
    for (char const c : text)
        all |= static_cast<unsigned char>(c);
    return all < 0x80;
}

std::string describe(error_code failed)
{
    if (failed == json::error::incomplete)
        return "the document ends too early";
    return "not valid JSON (" + failed.message() + ")";
}

} // namespace

std::string complaint::to_string() const
{
    return (path.empty() ? std::string("/") : path) + ": " + text + ", at byte " + std::to_string(offset);
}

std::optional<complaint> read_document(std::string_view document, slot root)
{
    if (document.find_first_not_of(" \t\r\n") == std::string_view::npos)
        return complaint{{}, 0, "the body is empty"};
    json::parse_options options;
    options.allow_invalid_utf8 = is_ascii(document); // has none, and is read faster without the search for it
    json::basic_parser<event_handler> parser(options, root);
    error_code failed;
    auto const consumed = parser.write_some(false, document.data(), document.size(), failed);
    auto const& handler = parser.handler();
    if (!failed && consumed < document.size() &&
        document.find_first_not_of(" \t\r\n", consumed) != std::string_view::npos)
        return complaint{{}, consumed, "something follows the document"};
    if (!failed)
        return std::nullopt;
    return complaint{handler.path(), consumed, handler.refusal().empty() ? describe(failed) : handler.refusal()};
}

std::string_view plain_kind(json::object const& whole) noexcept
{
    auto const* kind = whole.if_contains("kind");
    if (!kind || !kind->is_string())
        return {};
    std::string_view const text(kind->get_string().data(), kind->get_string().size());
    return text.substr(text.rfind('.') + 1);
}

std::string to_text(json::object const& whole)
{
    return json::serialize(whole);
}

} // namespace ccloud::core
