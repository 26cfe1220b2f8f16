/*  Checkpoints: parsing the text of a checkpoint returns the same checkpoint, and any text is read by the grammar.

    An input is used as a text, and also as an offset (the first eight bytes) and a token (the rest). */

#include <ccloud/async_generator.hpp>

#include "fuzz_input.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

using ccloud::checkpoint;
using fuzz::require;

namespace {

void check_round_trip(checkpoint const& place)
{
    auto const text = place.to_string();
    fuzz::exact_copy const copy(text);
    auto const read = checkpoint::parse(copy.view());
    require(read && *read == place, "a checkpoint is read back as it was", text);
    require(read->to_string() == text, "and writes the same again", text);
}

/** The offset that a text names, by the grammar: "at:" digits ":" token. */
std::optional<std::size_t> offset_of(std::string_view text)
{
    auto const digits = text.substr(std::min<std::size_t>(3, text.size()));
    std::size_t value = 0;
    std::size_t count = 0;
    for (; count < digits.size() && digits[count] >= '0' && digits[count] <= '9'; ++count)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, static_cast<std::size_t>(digits[count] - '0'), &value))
            return std::nullopt;
    bool const fits = text.starts_with("at:") && count > 0 && count < digits.size() && digits[count] == ':';
    return fits ? std::optional(value) : std::nullopt;
}

void check_text(std::string_view text)
{
    auto const read = checkpoint::parse(text);
    auto const offset = offset_of(text);
    require(read.has_value() == (text == "end" || offset), "a text is a checkpoint where the grammar says so", text);
    if (!read)
        return;
    require(read->at_end() == (text == "end"), "only \"end\" is the end", text);
    if (!read->at_end())
    {
        require(read->offset() == *offset, "the offset is the number", text);
        require(read->token() == text.substr(text.find(':', 3) + 1), "the token is all the rest", text);
    }
    check_round_trip(*read);
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    check_text({reinterpret_cast<char const*>(data), size});
    fuzz::input input(data, size);
    auto const offset = static_cast<std::size_t>(input.number(8));
    check_round_trip(checkpoint(std::string(input.rest()), offset));
    return 0;
}
