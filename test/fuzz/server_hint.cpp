/*  Header fields by which a server asks to wait, read by core/server_hint, with rules that the result must satisfy.

    The first two bytes of an input choose the status and the form of X-RateLimit-Reset. Every line after that is a
    header field: a letter that says which one (see `name_of`), and its value. */

#include "core/server_hint.hpp"

#include "fuzz_input.hpp"

#include <sanitizer/allocator_interface.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

namespace core = ccloud::core;
using ccloud::delay_source;
using ccloud::http_headers;
using ccloud::reset_form;
using fuzz::require;
using std::chrono::nanoseconds;

namespace {

constexpr std::string_view retry_after = "Retry-After";

thread_local bool watched = false;

/** Calls what must not allocate. */
template <class Function>
auto without_allocation(Function call)
{
    static bool const installed = __sanitizer_install_malloc_and_free_hooks(
                                      [](void const volatile*, std::size_t) {
                                          bool const allocates = std::exchange(watched, false);
                                          require(!allocates, "nothing is allocated");
                                      },
                                      [](void const volatile*) {}
                                  ) != 0;
    require(installed, "allocations are watched");
    watched = true;
    auto const result = call();
    watched = false;
    return result;
}

std::string_view name_of(char letter)
{
    switch (letter)
    {
    case 'R': return retry_after;
    case 'D': return "Date";
    case 'A': return "Age";
    case 'L': return "RateLimit";
    case 'P': return "RateLimit-Policy";
    case 'l': return "X-RateLimit-Limit";
    case 'r': return "X-RateLimit-Remaining";
    case 's': return "X-RateLimit-Reset";
    case 'q': return "RateLimit-Limit";
    case 't': return "RateLimit-Remaining";
    case 'u': return "RateLimit-Reset";
    default: return "X-Other";
    }
}

int status_of(unsigned choice)
{
    static constexpr std::array statuses{429, 429, 500, 503, 529, 413, 404, 200, 0};
    return statuses[choice % statuses.size()];
}

reset_form form_of(unsigned choice)
{
    static constexpr std::array forms{reset_form::delta, reset_form::epoch, reset_form::automatic};
    return forms[choice % forms.size()];
}

bool within_bounds(nanoseconds wait)
{
    return wait >= nanoseconds(0) && wait <= core::longest_hint;
}

bool same(std::optional<core::server_hint> const& a, std::optional<core::server_hint> const& b)
{
    if (!a || !b)
        return !a && !b;
    return a->wait == b->wait && a->source == b->source && a->text == b->text;
}

bool same(std::optional<core::limit_sample> const& a, std::optional<core::limit_sample> const& b)
{
    if (!a || !b)
        return !a && !b;
    return a->limit == b->limit && a->remaining == b->remaining && a->reset == b->reset;
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size)
{
    fuzz::input input(data, size);
    int const status = status_of(input.byte());
    auto const form = form_of(input.byte());
    ccloud::wall_time const now(std::chrono::seconds(784'111'797)); // Sun, 06 Nov 1994 08:49:57 GMT

    http_headers headers;
    std::string_view last;
    while (!input.empty())
    {
        auto const line = input.line();
        if (line.empty())
            continue;
        headers.add(name_of(line.front()), line.substr(1));
        // The value is also read directly, because the block refuses control characters.
        auto const wait = without_allocation([&] { return core::parse_retry_after(line.substr(1), last, false, now); });
        require(!wait || within_bounds(*wait), "a wait is within its bounds");
        last = line.substr(1);
    }

    auto const find = [&](http_headers const& of) {
        return without_allocation([&] { return core::find_hint(status, of, form, now); });
    };
    auto const read = [&](http_headers const& of, reset_form as) {
        return without_allocation([&] { return core::read_limits(of, as, now); });
    };
    auto const hint = find(headers);
    auto const sample = read(headers, form);
    auto const date = headers.find("Date").value_or(std::string_view());
    bool const aged = headers.contains("Age");

    std::optional<nanoseconds> asked;
    headers.for_each([&](std::string_view name, std::string_view value) {
        auto const wait = name == retry_after ? core::parse_retry_after(value, date, aged, now) : std::nullopt;
        if (wait && (!asked || *wait > *asked))
            asked = wait;
    });
    if (asked)
        require(hint && hint->source == delay_source::retry_after && hint->wait == *asked, "the longest Retry-After");
    if (hint)
    {
        auto const& all = headers.text();
        require(within_bounds(hint->wait), "a hint is within its bounds");
        require(!hint->text.empty(), "a hint has a text");
        require(hint->text.data() >= all.data(), "the text begins within the headers");
        require(hint->text.data() + hint->text.size() <= all.data() + all.size(), "the text ends within the headers");
    }
    if (hint && !asked)
    {
        require(hint->source == delay_source::rate_limit, "without Retry-After it is the limit");
        require(status == 429 || status >= 500, "a reset counts for 429 and 5xx");
        require(status == 429 || (sample && sample->remaining == 0), "a reset counts for 5xx where nothing remains");
        require(!sample || sample->reset == hint->wait, "hint and sample agree");
    }
    if (sample)
    {
        require(within_bounds(sample->reset), "a reset is within its bounds");
        require(sample->remaining >= 0, "what remains is not negative");
        require(sample->limit.value_or(0) >= 0, "a limit is not negative");
        require(status != 429 || hint.has_value(), "a 429 with a sample has a hint");
        auto const as_delta = read(headers, reset_form::delta), as_epoch = read(headers, reset_form::epoch);
        auto const automatic = read(headers, reset_form::automatic);
        require(same(automatic, as_delta) || same(automatic, as_epoch), "automatic is one of the two forms");
    }

    for (std::string_view const malformed : {"-1", "5s", "1;5", "Sun, 31 Feb 1994 08:50:37 GMT"})
    {
        auto more = headers;
        more.add(retry_after, malformed);
        require(same(find(more), hint), "a malformed Retry-After makes no difference");
    }
    auto more = headers;
    more.add(retry_after, "0");
    auto const least = find(more);
    require(least && (!asked || least->wait == *asked), "a shorter Retry-After never shortens the wait");
    more.add(retry_after, "120");
    auto const longer = find(more);
    require(longer && longer->wait >= std::chrono::seconds(120), "a longer one is obeyed");
    require(same(read(more, form), sample), "Retry-After makes no difference to the limits");

    bool const other_form = headers.contains("X-RateLimit-Remaining") || headers.contains("RateLimit-Remaining");
    auto limited = headers;
    limited.add("RateLimit", R"("z";r=0;t=1)");
    auto const spent = read(limited, form);
    require(other_form || !spent || spent->remaining == 0, "a policy without anything left is the tightest");
    auto odd = headers;
    odd.add("RateLimit", R"("z";r=0;t=x)");
    require(other_form || !read(odd, form), "a malformed policy disables the list");
    return 0;
}
