// A program that calls every operation once, to see what linking the library adds. It is weighed, not run.
#include <ccloud/ccloud.hpp>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/this_coro.hpp>

#include <string>

namespace {

namespace asio = boost::asio;
namespace iam = ccloud::iam;
namespace networking = ccloud::networking;

template <class Collection, class Create, class Update>
asio::awaitable<void> all_five(Collection of, Create const& create, Update const& update)
{
    auto made = co_await or_throw(of.create(create));
    auto got = co_await or_throw(of.get(made.id));
    auto changed = co_await or_throw(of.update(got.id, update));
    auto all = of.list();
    while (auto each = co_await or_throw(all.next()))
        made = *each;
    co_await or_throw(of.remove(changed.id));
}

asio::awaitable<void> all_twenty()
{
    ccloud::client cloud(co_await asio::this_coro::executor, ccloud::config::from_environment());

    iam::create_ip_group group("CorpNet");
    group.cidr_block("10.0.0.0/8");
    iam::ip_group const known;
    iam::update_ip_group wider(known);
    wider.cidr_block("192.168.0.0/16");
    co_await all_five(iam::ip_groups(cloud), group, wider);

    iam::create_identity_pool const pool("pool", "claims.sub", "true");
    iam::update_identity_pool described;
    described.description(std::string("of the build farm"));
    co_await all_five(iam::identity_pools(cloud, "op-4EY"), pool, described);

    iam::sso::create_group_mapping const mapping("mapping", "true");
    iam::sso::update_group_mapping renamed;
    renamed.display_name(std::string("another"));
    co_await all_five(iam::sso::group_mappings(cloud), mapping, renamed);

    networking::aws_private_link_attachment_connection const endpoint("vpce-1234");
    networking::create_private_link_attachment_connection const connection("connection", endpoint, "platt-1234");
    networking::update_private_link_attachment_connection named;
    named.display_name(std::string("another"));
    co_await all_five(networking::private_link_attachment_connections(cloud, "env-1234"), connection, named);
}

} // namespace

int main()
{
    asio::io_context context;
    asio::co_spawn(context, all_twenty(), asio::detached);
    context.run();
}
