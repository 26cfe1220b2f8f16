#include "core/codec.hpp"

#include <boost/json/basic_parser_impl.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/value_stack.hpp>

#include <algorithm>
#include <array>

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
        auto const target = take();
        if (target.type->choose)
        {
            collecting_ = 1;
            collected_for_ = target;
            collected_.reset();
            return true;
        }
        if (!target.type->member)
            return refuse(target, "an object", failed);
        return push(target, false, failed);
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
        auto const target = take();
        if (!target.type->array)
            return refuse(target, "an array", failed);
        target.type->array(target.to);
        return push(target, true, failed);
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
        next_ = top.target.type->member(top.target.to, join(part));
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
            auto const target = take();
            if (!target.type->text)
                return refuse(target, "a string", failed);
            target.type->text(target.to, join(part));
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
        auto const target = take();
        if (!target.type->integer)
            return refuse(target, "a number", failed);
        target.type->integer(target.to, value);
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
        auto const target = take(); // keeps its default
        return depth_ > 0 || refuse(target, "null", failed);
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
    bool skip() noexcept
    {
        if (skipping_)
            return true;
        if (depth_ > 0 && stack_[depth_ - 1].list)
        {
            auto& top = stack_[depth_ - 1];
            ++top.count;
            next_ = top.target.type->element(top.target.to);
        }
        return next_.type == nullptr;
    }

    slot take() noexcept { return std::exchange(next_, slot{}); }

    bool push(slot target, bool list, error_code& failed)
    {
        if (depth_ == max_depth)
        {
            failed = json::error::too_deep;
            return false;
        }
        stack_[depth_++] = frame{target, list, 0};
        return true;
    }

    bool refuse(slot const& target, char const* found, error_code& failed)
    {
        refused_ = target.name;
        refusal_ = std::string("expected ") + target.type->expected + ", found " + found;
        failed = json::error::not_object; // any will do: the text is ours
        return false;
    }

    bool scalar(char const* found, error_code& failed) { return skip() || refuse(take(), found, failed); }

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

    slot next_;
    std::array<frame, max_depth> stack_;
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
    json::basic_parser<event_handler> parser(json::parse_options(), root);
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
