#include <ccloud/ccloud.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include "client.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <cstddef>
#include <cstdlib>
#include <new>

namespace asio = boost::asio;
namespace iam = ccloud::iam;

// Every way to the heap that this program takes is counted: operator new here, Asio's aligned_alloc by the linker's
// --wrap.

namespace {

std::atomic<std::size_t> allocations = 0;

} // namespace

void* operator new(std::size_t size)
{
    ++allocations;
    if (void* const memory = std::malloc(size ? size : 1))
        return memory;
    throw std::bad_alloc();
}

void operator delete(void* memory) noexcept
{
    std::free(memory);
}

void operator delete(void* memory, std::size_t) noexcept
{
    std::free(memory);
}

extern "C" void* __real_aligned_alloc(std::size_t alignment, std::size_t size);

extern "C" void* __wrap_aligned_alloc(std::size_t alignment, std::size_t size)
{
    ++allocations;
    return __real_aligned_alloc(alignment, size);
}

TEST_CASE("one call on a scripted transport, awaited on the client's executor, costs at most 12 allocations")
{
    constexpr int warm_up = 3;
    constexpr int calls = 10;
    auto wire = support::script();
    wire->reserve(warm_up + calls);
    for (int i = 0; i < warm_up + calls; ++i)
        wire->reply(
                200,
                R"({"api_version":"iam/v2","kind":"IpGroup","id":"ipg-wyorq","metadata":{"self":"https://confluent.cloud/iam/v2/ip-groups/ipg-wyorq","resource_name":"crn://confluent.cloud/organization=1111aaaa-11aa-11aa-11aa-111111aaaaaa/ip-group=ipg-wyorq","created_at":"2025-07-22T12:21:26.295975Z","updated_at":"2025-07-22T12:23:05.109445Z"},"group_name":"CorpNet","cidr_blocks":["192.168.0.0/24","192.168.7.0/24"]})"
        )
            .header("X-Request-Id", "91de1d2b01474f0ea5ae95e1ee5e3f0b");
    std::size_t most = 0;
    support::with_client(wire, [&](ccloud::client cloud) -> asio::awaitable<void> {
        iam::ip_groups groups(cloud);
        for (int i = 0; i < warm_up + calls; ++i)
        {
            auto const before = allocations.load();
            auto got = co_await groups.get("ipg-wyorq");
            auto const used = allocations.load() - before;
            REQUIRE(got.has_value());
            REQUIRE(got->cidr_blocks.size() == 2);
            if (i >= warm_up && used > most)
                most = used;
        }
    });
    MESSAGE("allocations of a call: " << most);
    CHECK(most > 0); // the counter counts
    CHECK(most <= 12);
}
