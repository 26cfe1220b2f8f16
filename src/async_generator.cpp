#include <ccloud/async_generator.hpp>

#include <charconv>
#include <system_error>

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
    std::size_t offset = 0;
    auto const* const end_of_offset = text.data() + colon;
    auto const [end, failed] = std::from_chars(text.data(), end_of_offset, offset);
    if (failed != std::errc() || end != end_of_offset)
        return std::nullopt;
    return checkpoint(std::string(text.substr(colon + 1)), offset);
}

} // namespace ccloud
