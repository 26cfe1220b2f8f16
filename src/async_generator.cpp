#include <ccloud/async_generator.hpp>

#include "core/ascii.hpp"

namespace ccloud {

checkpoint checkpoint::end()
{
    checkpoint place;
    place.at_end_ = true;
    return place;
}

std::string checkpoint::to_string() const
{
    if (at_end_)
        return "end";
    return "at:" + std::to_string(offset_) + ':' + token_;
}

std::optional<checkpoint> checkpoint::parse(std::string_view text)
{
    if (text == "end")
        return end();
    if (!text.starts_with("at:"))
        return std::nullopt;
    text.remove_prefix(3);
    auto const colon = text.find(':');
    if (colon == std::string_view::npos)
        return std::nullopt;
    auto const offset = core::parse_digits(text.substr(0, colon));
    if (!offset || *offset == INT64_MAX)
        return std::nullopt;
    return checkpoint(std::string(text.substr(colon + 1)), static_cast<std::size_t>(*offset));
}

error detail::busy_error()
{
    return error(errc::busy, "a call on this generator is under way");
}

error detail::late_resume_error()
{
    return error(errc::invalid_argument, "resume() was called after the listing was begun");
}

} // namespace ccloud
