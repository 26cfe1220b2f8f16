#include <ccloud/testing/simulator.hpp>

#include "testing/simulator_api.hpp"
#include "testing/simulator_tls.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/write.hpp>
#include <boost/json.hpp>

#include <doctest/doctest.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <string_view>

using namespace std::chrono_literals;
namespace json = boost::json;
using ccloud::testing::simulator_options;
using namespace ccloud::testing::simulated;

namespace {

constexpr instant start = std::chrono::sys_days(std::chrono::year(2023) / 3 / 14) + 8002035970us;

constexpr std::string_view groups = "/iam/v2/ip-groups";
constexpr std::string_view pools = "/iam/v2/identity-providers/op-4EY/identity-pools";
constexpr std::string_view mappings = "/iam/v2/sso/group-mappings";
constexpr std::string_view connections = "/networking/v1/private-link-attachment-connections";

/** An API and somebody who talks to it with good credentials. */
class caller
{
public:
    explicit caller(simulator_options given = {})
        : options_(std::move(given)), api_(options_, start),
          authorization_("Basic " + to_base64(options_.api_key + ":" + options_.api_secret))
    {
    }

    api_response send(std::string_view method, std::string_view target, std::string_view body = {})
    {
        return api_.answer({method, target, authorization_, body.empty() ? "" : "application/json", body}, now_);
    }

    json::value json_of(std::string_view method, std::string_view target, std::string_view body = {})
    {
        return json::parse(send(method, target, body).body);
    }

    /** Makes an object. @return its id */
    std::string make(std::string_view target, std::string_view body)
    {
        return std::string(json_of("POST", target, body).at("id").as_string());
    }

    api_response send_raw(api_request const& request) { return api_.answer(request, now_); }
    void advance(std::chrono::milliseconds time) { now_ += time; }
    bool set_phase(std::string_view id, std::string phase) { return api_.set_phase(id, std::move(phase), "no", now_); }

private:
    simulator_options options_;
    api api_;
    std::string authorization_;
    instant now_ = start;
};

std::string header(api_response const& response, std::string_view name)
{
    for (auto const& [each, value] : response.headers)
        if (each == name)
            return value;
    return {};
}

/** The query of a link, from its "?" on. */
std::string query_of(json::value const& link)
{
    std::string const text(link.as_string());
    return text.substr(text.find('?'));
}

std::string under(std::string_view collection, std::string_view id, std::string_view query = {})
{
    return std::string(collection) + "/" + std::string(id) + std::string(query);
}

std::string connection_body(std::string_view cloud, std::string_view environment = "env-1")
{
    return R"({"spec":{"display_name":"my_vpc","cloud":)" + std::string(cloud) + R"(,"environment":{"id":")" +
           std::string(environment) + R"("},"private_link_attachment":{"id":"platt-1"}}})";
}

constexpr std::string_view aws = R"({"kind":"AwsPrivateLinkAttachmentConnection","vpc_endpoint_id":"vpce-0ed4"})";
constexpr std::string_view corp_net = R"({"group_name":"CorpNet","cidr_blocks":["10.0.0.0/8"]})";
constexpr std::string_view engineering = R"({"display_name":"Eng","filter":"\"engineering\" in groups"})";
constexpr std::string_view my_pool =
    R"({"display_name":"My","description":"","identity_claim":"claims.sub","filter":"claims.aud==\"confluent\""})";

} // namespace

TEST_CASE("base64 and percent escapes go both ways")
{
    for (std::string_view const text : {"", "f", "fo", "foo", "p1~?\xff\xfe"})
        CHECK(from_base64(to_base64(text)) == text);
    CHECK(to_base64("fo") == "Zm8=");
    CHECK_FALSE(from_base64("Zm8").has_value());
    CHECK_FALSE(from_base64("Z=8=").has_value());
    CHECK(percent_decode(percent_encode("a+b=c/d%")) == "a+b=c/d%");
    CHECK_FALSE(percent_decode("%4").has_value());
    CHECK_FALSE(percent_decode("%zz").has_value());
}

TEST_CASE("timestamps lose their trailing zeros")
{
    CHECK(to_rfc3339(start) == "2023-03-14T02:13:22.03597Z");
    CHECK(to_rfc3339(std::chrono::floor<std::chrono::seconds>(start)) == "2023-03-14T02:13:22Z");
}

TEST_CASE("ids are all different")
{
    std::set<std::string> ids;
    for (std::uint64_t n = 1; n <= 10'000; ++n)
        ids.insert(make_id("pool-", n));
    CHECK(ids.size() == 10'000);
}

TEST_CASE("credentials are wanted")
{
    caller cloud;
    auto const ask = [&](std::string_view authorization) {
        return cloud.send_raw({"GET", groups, authorization, "", ""});
    };
    api_response const missing = ask("");
    CHECK(missing.status == 401);
    CHECK(header(missing, "WWW-Authenticate").starts_with("Basic error=\"missing_credentials\""));
    CHECK(json::parse(missing.body).at_pointer("/errors/0/detail") == "Unauthorized");
    CHECK(json::parse(missing.body).at_pointer("/errors/0/status") == "401");
    CHECK(header(ask("Basic YTpi"), "WWW-Authenticate").starts_with("Basic error=\"invalid_key\""));
    CHECK(header(ask("Bearer other"), "WWW-Authenticate").starts_with("Bearer error=\"invalid_token\""));
    CHECK(ask("Basic ???").status == 401);
    CHECK(ask("Bearer simulator.sts.token").status == 200);
    CHECK(ask("bearer simulator.sts.token").status == 200);
}

TEST_CASE("every response has a request id of its own")
{
    caller cloud;
    std::set<std::string> ids;
    for (int i = 0; i < 100; ++i)
        ids.insert(header(cloud.send("GET", i % 2 == 0 ? groups : "/nowhere"), "X-Request-Id"));
    CHECK(ids.size() == 100);
    CHECK(ids.begin()->size() == 32);
}

TEST_CASE("IP groups are made, read, changed and deleted")
{
    caller cloud;
    api_response const made = cloud.send("POST", groups, corp_net);
    CHECK(made.status == 201);
    CHECK(header(made, "Content-Type") == "application/json; charset=utf-8");
    json::value const group = json::parse(made.body);
    std::string const id(group.at("id").as_string());
    CHECK(id.starts_with("ipg-"));
    CHECK(group.at("api_version") == "iam/v2");
    CHECK(group.at("kind") == "IpGroup");
    CHECK(group.at_pointer("/metadata/created_at") == "2023-03-14T02:13:22.03597Z");
    CHECK(header(made, "Location") == group.at_pointer("/metadata/self").as_string());

    cloud.advance(1s);
    CHECK(cloud.json_of("GET", under(groups, id)) == group);
    json::value const changed =
        cloud.json_of("PATCH", under(groups, id), R"({"group_name":"New","cidr_blocks":["1.2.3.4/32"]})");
    CHECK(changed.at("group_name") == "New");
    CHECK(changed.at("cidr_blocks") == json::array{"1.2.3.4/32"});
    CHECK(changed.at_pointer("/metadata/updated_at") != changed.at_pointer("/metadata/created_at"));

    api_response const deleted = cloud.send("DELETE", under(groups, id));
    CHECK(deleted.status == 204);
    CHECK(deleted.body.empty());
    api_response const gone = cloud.send("GET", under(groups, id));
    CHECK(gone.status == 404);
    CHECK(json::parse(gone.body).at_pointer("/errors/0/detail") == "IP group not found: not found");
    CHECK(cloud.send("DELETE", under(groups, id)).status == 404);
    CHECK(cloud.send("POST", groups, corp_net).status == 201);
}

TEST_CASE("PATCH of an IP group is no merge")
{
    caller cloud;
    std::string const group = under(groups, cloud.make(groups, corp_net));
    api_response const refused = cloud.send("PATCH", group, R"({"group_name":"New"})");
    CHECK(refused.status == 400);
    CHECK(json::parse(refused.body).at_pointer("/errors/0/detail") == "cannot have an empty CIDR block");
    CHECK(cloud.send("PATCH", group, R"({"cidr_blocks":["10.0.0.0/8"]})").status == 400);
    CHECK(cloud.send("PATCH", group, R"({"group_name":"New","cidr_blocks":[]})").status == 400);
}

TEST_CASE("a taken group name conflicts and tells where")
{
    caller cloud;
    api_response const first = cloud.send("POST", groups, corp_net);
    api_response const second = cloud.send("POST", groups, corp_net);
    CHECK(second.status == 409);
    CHECK(header(second, "Location") == header(first, "Location"));
    std::string const other = cloud.make(groups, R"({"group_name":"Other","cidr_blocks":["10.0.0.0/8"]})");
    CHECK(cloud.send("PATCH", under(groups, other), corp_net).status == 409);
    CHECK(
        cloud.send("PATCH", under(groups, other), R"({"group_name":"Other","cidr_blocks":["1.1.1.0/24"]})").status ==
        200
    );
}

TEST_CASE("wrong values of an IP group are all pointed at")
{
    caller cloud;
    api_response const refused =
        cloud.send("POST", groups, R"({"group_name":"a{","cidr_blocks":["10.0.0.0/8","10.0.0.0/33","::/0"]})");
    CHECK(refused.status == 422);
    json::value const body = json::parse(refused.body);
    CHECK(body.at("errors").as_array().size() == 3);
    CHECK(body.at_pointer("/errors/0/source/pointer") == "/group_name");
    CHECK(body.at_pointer("/errors/1/source/pointer") == "/cidr_blocks/1");
    CHECK(body.at_pointer("/errors/2/source/pointer") == "/cidr_blocks/2");
    CHECK(cloud.send("POST", groups, R"({"group_name":1,"cidr_blocks":["10.0.0.0/8"]})").status == 400);
    CHECK(cloud.send("POST", groups, R"({"group_name":"a","cidr_blocks":"10.0.0.0/8"})").status == 400);

    std::string umlauts;
    for (int i = 0; i < 64; ++i)
        umlauts += "ü";
    CHECK(
        cloud.send("POST", groups, R"({"cidr_blocks":["10.0.0.0/8"],"group_name":")" + umlauts + "\"}").status == 201
    );
    CHECK(
        cloud.send("POST", groups, R"({"cidr_blocks":["10.0.0.0/8"],"group_name":"ü)" + umlauts + "\"}").status == 422
    );
}

TEST_CASE("a list of IP groups shows all navigation members")
{
    simulator_options options;
    options.seed_groups = 60;
    caller cloud(options);
    json::value const first = cloud.json_of("GET", groups);
    CHECK(first.at("api_version") == "iam/v2");
    CHECK(first.at("kind") == "IpGroupList");
    CHECK(first.at("data").as_array().size() == 25);
    CHECK(first.at_pointer("/data/0/group_name") == "group-0001");
    CHECK(first.at_pointer("/metadata/total_size") == 60);
    CHECK(first.at_pointer("/metadata/prev").is_null());
    std::string const next(first.at_pointer("/metadata/next").as_string());
    CHECK(next.starts_with("https://confluent.cloud/api/iam/v2/ip-groups?page_token="));
    CHECK(next.ends_with("%3D"));
    CHECK(next.find("%2B") != std::string::npos);
    CHECK(next.find("page_size") == std::string::npos);

    std::string const list(groups);
    json::value const second = cloud.json_of("GET", list + query_of(first.at_pointer("/metadata/next")));
    json::value const third = cloud.json_of("GET", list + query_of(second.at_pointer("/metadata/next")));
    CHECK(second.at_pointer("/data/0/group_name") == "group-0026");
    CHECK(third.at("data").as_array().size() == 10);
    CHECK(third.at_pointer("/metadata/next").is_null());
    CHECK(cloud.json_of("GET", list + query_of(third.at_pointer("/metadata/prev"))).at("data") == second.at("data"));
    CHECK(cloud.json_of("GET", list + query_of(first.at_pointer("/metadata/last"))).at("data") == third.at("data"));
}

TEST_CASE("a page that was deleted meanwhile does not lose its place")
{
    simulator_options options;
    options.seed_groups = 5;
    caller cloud(options);
    json::value const first = cloud.json_of("GET", "/iam/v2/ip-groups?page_size=2");
    json::value const rest = cloud.json_of("GET", std::string(groups) + query_of(first.at_pointer("/metadata/next")));
    for (json::value const& group : rest.at("data").as_array())
        CHECK(cloud.send("DELETE", under(groups, group.at("id").as_string())).status == 204);
    json::value const after = cloud.json_of("GET", std::string(groups) + query_of(first.at_pointer("/metadata/next")));
    CHECK(after.at("data").as_array().size() == 1);
    CHECK(after.at_pointer("/data/0/group_name") == "group-0005");
}

TEST_CASE("page_size and page_token are checked")
{
    simulator_options options;
    options.seed_groups = 120;
    caller cloud(options);
    for (std::string_view const size : {"0", "-1", "101", "x", "", "1.5"})
    {
        CAPTURE(size);
        api_response const refused = cloud.send("GET", std::string(groups) + "?page_size=" + std::string(size));
        CHECK(refused.status == 400);
        CHECK(json::parse(refused.body).at_pointer("/errors/0/source/parameter") == "page_size");
    }
    json::value const whole = cloud.json_of("GET", "/iam/v2/ip-groups?page_size=100");
    CHECK(whole.at("data").as_array().size() == 100);
    std::string const next = query_of(whole.at_pointer("/metadata/next"));
    CHECK(cloud.json_of("GET", std::string(groups) + next + "&page_size=7").at("data").as_array().size() == 7);
    CHECK(cloud.send("GET", "/iam/v2/ip-groups?page_token=abc").status == 400);
    CHECK(cloud.send("GET", "/iam/v2/ip-groups?page_token=").status == 400);
    CHECK(cloud.send("GET", "/iam/v2/ip-groups?page_token=%4").status == 400);
    CHECK(cloud.send("GET", std::string(mappings) + next).status == 400); // a token of another list
    std::string const doubly = percent_encode(*percent_decode(next.substr(1 + std::string("page_token=").size())));
    CHECK(cloud.send("GET", std::string(groups) + "?page_token=" + percent_encode(doubly)).status == 400);
}

TEST_CASE("identity pools live below their provider")
{
    caller cloud;
    api_response const made = cloud.send("POST", std::string(pools) + "?assigned_resource_owner=u-1", my_pool);
    CHECK(made.status == 201);
    json::value const pool = json::parse(made.body);
    std::string const id(pool.at("id").as_string());
    CHECK(id.starts_with("pool-"));
    CHECK(pool.at("principal") == pool.at("id"));
    CHECK(pool.at("state") == "ENABLED");
    CHECK(pool.at("filter") == "claims.aud==\"confluent\"");
    CHECK(header(made, "Location") == "https://confluent.cloud/api" + under(pools, id));

    CHECK(cloud.send("GET", under("/iam/v2/identity-providers/op-other/identity-pools", id)).status == 404);
    api_response const unknown = cloud.send("GET", "/iam/v2/identity-providers/x-1/identity-pools");
    CHECK(unknown.status == 404);
    json::value const expected{{"error_code", 404}, {"message", "Provider x-1 either doesn't exist or is not active"}};
    CHECK(json::parse(unknown.body) == expected);
    CHECK(cloud.send("POST", std::string(pools) + "?assigned_resource_owner=", my_pool).status == 201);
    CHECK(cloud.send("POST", std::string(pools) + "?assigned_resource_owner=me", my_pool).status == 400);
    CHECK(cloud.send("DELETE", under(pools, id)).status == 204);
    CHECK(json::parse(cloud.send("GET", under(pools, id)).body).at("error_code") == 404);
}

TEST_CASE("lists of pools and mappings have neither version nor sizes")
{
    caller cloud;
    for (int i = 0; i < 11; ++i)
        cloud.make(mappings, engineering);
    json::value const first = cloud.json_of("GET", mappings);
    CHECK_FALSE(first.as_object().contains("api_version"));
    CHECK(first.at("kind") == "GroupMappingList");
    CHECK(first.at("data").as_array().size() == 10);
    CHECK(first.at("metadata").as_object().size() == 2);
    CHECK(first.at_pointer("/metadata/self") == "https://confluent.cloud/api/iam/v2/sso/group-mappings");
    json::value const last = cloud.json_of("GET", std::string(mappings) + query_of(first.at_pointer("/metadata/next")));
    CHECK(last.at("data").as_array().size() == 1);
    CHECK(last.at("metadata").as_object().size() == 1);
    CHECK(cloud.json_of("GET", pools).at("kind") == "IdentityPoolList");
}

TEST_CASE("PATCH of pools and mappings is a merge")
{
    caller cloud;
    std::string const pool = under(pools, cloud.make(pools, my_pool));
    json::value const changed = cloud.json_of("PATCH", pool, R"({"id":"pool-x","description":"new"})");
    CHECK(changed.at("description") == "new");
    CHECK(changed.at("display_name") == "My");
    CHECK(changed.at("id") != "pool-x");
    CHECK(cloud.send("PATCH", pool, "{}").status == 200);
    api_response const null = cloud.send("PATCH", pool, R"({"description":null})");
    CHECK(null.status == 400);
    CHECK(json::parse(null.body).at_pointer("/errors/0/source/pointer") == "/description");
    CHECK(cloud.send("PATCH", pool, R"({"filter":"(("})").status == 422);
    CHECK(cloud.json_of("GET", pool).at("filter") == "claims.aud==\"confluent\"");
}

TEST_CASE("group mappings have their own not found")
{
    caller cloud;
    json::value const made = cloud.json_of("POST", mappings, engineering);
    CHECK(made.at("description") == "");
    CHECK(made.at("id") == made.at("principal"));
    api_response const missing = cloud.send("PATCH", under(mappings, "group-none"), "{}");
    CHECK(missing.status == 404);
    CHECK(json::parse(missing.body).at_pointer("/errors/0/code") == "service_account_not_found");
    CHECK(cloud.send("POST", mappings, R"({"display_name":"Eng"})").status == 400);
}

TEST_CASE("quotas are told by 402")
{
    simulator_options options;
    options.identity_pools_per_provider = 1;
    options.group_mappings_per_org = 0;
    options.ip_groups_per_org = 0;
    caller cloud(options);
    CHECK(cloud.send("POST", pools, my_pool).status == 201);
    api_response const over = cloud.send("POST", pools, my_pool);
    CHECK(over.status == 402);
    json::value const error = json::parse(over.body).at("errors").as_array()[0];
    CHECK(error.at("code") == "quota_exceeded");
    CHECK(error.at("detail") == "Your identity provider is currently limited to 1 identity pools");
    CHECK(cloud.send("POST", "/iam/v2/identity-providers/op-2/identity-pools", my_pool).status == 201);
    CHECK(cloud.send("POST", mappings, engineering).status == 402);
    CHECK(cloud.send("POST", groups, corp_net).status == 402);
}

TEST_CASE("a connection goes through its phases")
{
    simulator_options options;
    options.provisioning = 10s;
    options.deprovisioning = 5s;
    caller cloud(options);
    api_response const made = cloud.send("POST", connections, connection_body(aws));
    CHECK(made.status == 202);
    json::value const connection = json::parse(made.body);
    CHECK(connection.at_pointer("/status/phase") == "PROVISIONING");
    CHECK(connection.at_pointer("/spec/cloud/kind") == "networking.v1.AwsPrivateLinkAttachmentConnection");
    CHECK(connection.at_pointer("/status/cloud/vpc_endpoint_service_name") == "");
    std::string const id(connection.at("id").as_string());
    CHECK(header(made, "Location").ends_with(under(connections, id, "?environment=env-1")));

    std::string const target = under(connections, id, "?environment=env-1");
    cloud.advance(9999ms);
    CHECK(cloud.json_of("GET", target).at_pointer("/status/phase") == "PROVISIONING");
    cloud.advance(1ms);
    json::value const ready = cloud.json_of("GET", target);
    CHECK(ready.at_pointer("/status/phase") == "READY");
    CHECK(ready.at_pointer("/status/error_code") == "");
    CHECK(ready.at_pointer("/status/cloud/vpc_endpoint_service_name") != "");

    CHECK(cloud.send("DELETE", target).status == 204);
    CHECK(cloud.send("DELETE", target).status == 204);
    CHECK(cloud.json_of("GET", target).at_pointer("/status/phase") == "DEPROVISIONING");
    std::string const rename = R"({"spec":{"display_name":"new","environment":{"id":"env-1"}}})";
    CHECK(cloud.send("PATCH", under(connections, id), rename).status == 409);
    cloud.advance(5s);
    api_response const gone = cloud.send("GET", target);
    CHECK(gone.status == 404);
    CHECK(gone.body.empty());
    CHECK(cloud.send("DELETE", target).status == 404);
    CHECK(cloud.json_of("GET", std::string(connections) + "?environment=env-1").at("data").as_array().empty());
}

TEST_CASE("a phase can be held")
{
    caller cloud;
    std::string const id = cloud.make(connections, connection_body(aws));
    CHECK(cloud.set_phase(id, "FAILED"));
    CHECK_FALSE(cloud.set_phase("plattc-none", "FAILED"));
    json::value const failed = cloud.json_of("GET", under(connections, id, "?environment=env-1"));
    CHECK(failed.at_pointer("/status/phase") == "FAILED");
    CHECK(failed.at_pointer("/status/error_message") == "no");
}

TEST_CASE("the environment of a connection is in the query, but of a PATCH in the body")
{
    caller cloud;
    std::string const id = cloud.make(connections, connection_body(aws));
    std::string const list(connections);
    CHECK(cloud.send("GET", list).status == 400);
    CHECK(cloud.send("GET", list + "?environment=").status == 400);
    CHECK(cloud.send("GET", under(connections, id)).status == 400);
    CHECK(cloud.send("DELETE", under(connections, id)).status == 400);
    CHECK(cloud.send("GET", list + "?environment=platt-1").status == 404);
    CHECK(cloud.send("GET", under(connections, id, "?environment=env-2")).status == 404);

    auto const patch = [&](std::string_view query, std::string_view spec) {
        return cloud.send("PATCH", under(connections, id, query), R"({"spec":)" + std::string(spec) + "}").status;
    };
    CHECK(patch("", R"({"display_name":"new","environment":{"id":"env-1"}})") == 200);
    CHECK(patch("?environment=env-1", R"({"display_name":"new","environment":{"id":"env-1"}})") == 400);
    CHECK(patch("", R"({"display_name":"new","environment":{"id":"env-2"}})") == 404);
    CHECK(patch("", R"({"display_name":"new"})") == 400);
    CHECK(patch("", R"({"display_name":"","environment":{"id":"env-1"}})") == 400);
    CHECK(patch("", R"({"cloud":{},"environment":{"id":"env-1"}})") == 400);
}

TEST_CASE("connections are listed by attachment")
{
    caller cloud;
    for (int i = 0; i < 12; ++i)
        cloud.make(connections, connection_body(aws));
    std::string const list = std::string(connections) + "?environment=env-1";
    json::value const first = cloud.json_of("GET", list + "&spec.private_link_attachment=platt-1");
    CHECK(first.at("kind") == "PrivateLinkAttachmentConnectionList");
    CHECK(first.at("data").as_array().size() == 10);
    std::string const next = query_of(first.at_pointer("/metadata/next"));
    CHECK(next.find("environment") == std::string::npos);
    json::value const last = cloud.json_of("GET", list + "&" + next.substr(1));
    CHECK(last.at("data").as_array().size() == 2);
    CHECK(last.at_pointer("/metadata/next") == "");
    CHECK(cloud.json_of("GET", list + "&spec.private_link_attachment=platt-2").at("data").as_array().empty());
    CHECK(cloud.json_of("GET", list + "&spec.private_link_attachment=").at("data").as_array().size() == 10);
}

TEST_CASE("a new connection is checked with the texts of the service")
{
    caller cloud;
    auto const complaint = [&](std::string_view body) {
        api_response const refused = cloud.send("POST", connections, body);
        CHECK(refused.status == 400);
        return json::parse(refused.body).at_pointer("/errors/0/detail");
    };
    CHECK(complaint(R"({"spec":{}})") == "The private link attachment connection name must be provided.");
    CHECK(complaint(R"({"spec":{"display_name":"a"}})") == "The request body is malformed (missing cloud).");
    CHECK(complaint("{}") == "The request body is malformed (missing spec).");
    CHECK(complaint(connection_body(R"({"kind":"Moon"})")) == "The request body is malformed (unknown cloud kind).");
    CHECK(
        complaint(connection_body(R"({"kind":"AwsPrivateLinkAttachmentConnection"})")) ==
        "The AWS VPC Endpoint ID is invalid."
    );
    CHECK(
        complaint(connection_body(
            R"({"kind":"GcpPrivateLinkAttachmentConnection","private_service_connect_connection_id":1})"
        )) == "The GCP Private Service Connect Connection ID is invalid."
    );
    CHECK(
        complaint(
            R"({"spec":{"display_name":"a","cloud":)" + std::string(aws) +
            R"(,"environment":{"id":"env-1"},"private_link_attachment":{"id":"x"}}})"
        ) == "The private link attachment was not found."
    );
}

TEST_CASE("the other clouds")
{
    simulator_options options;
    options.provisioning = 0ms;
    caller cloud(options);
    json::value const gcp = cloud.json_of(
        "POST", connections,
        connection_body(
            R"({"kind":"GcpPrivateLinkAttachmentConnection","private_service_connect_connection_id":"18446744073709551615"})"
        )
    );
    CHECK(gcp.at_pointer("/status/phase") == "READY");
    CHECK(gcp.at_pointer("/status/cloud/private_service_connect_connection_id") == "18446744073709551615");
    json::value const azure = cloud.json_of(
        "POST", connections,
        connection_body(
            R"({"kind":"AzurePrivateLinkAttachmentConnection","private_endpoint_resource_id":"/subscriptions/1/x"})"
        )
    );
    CHECK(azure.at_pointer("/status/cloud/kind") == "networking.v1.AzurePrivateLinkAttachmentConnectionStatus");
    CHECK(azure.at_pointer("/status/cloud/zone") == "1");
}

TEST_CASE("requests that fit nothing")
{
    caller cloud;
    CHECK(json::parse(cloud.send("GET", "/iam/v2/nothing").body).at("message") == "resource not found");
    CHECK(cloud.send("GET", "/iam/v2/ip-groups/").status == 404);
    CHECK(cloud.send("GET", "/iam/v2/ip-groups/a/b").status == 404);
    api_response const put = cloud.send("PUT", groups);
    CHECK(put.status == 405);
    CHECK(header(put, "Allow") == "GET, POST");
    CHECK(header(cloud.send("POST", under(groups, "x")), "Allow") == "GET, PATCH, DELETE");
    CHECK(cloud.send("POST", groups, "{").status == 400);
    CHECK(cloud.send("POST", groups, "[]").status == 400);
    CHECK(cloud.send("POST", groups).status == 400);

    simulator_options options;
    std::string const key = "Basic " + to_base64(options.api_key + ":" + options.api_secret);
    CHECK(cloud.send_raw({"POST", groups, key, "text/plain", corp_net}).status == 415);
    CHECK(cloud.send_raw({"POST", groups, key, "Application/JSON ; charset=utf-8", corp_net}).status == 201);
}

TEST_CASE("the API can be served below a path")
{
    simulator_options options;
    options.path_prefix = "/api";
    caller cloud(options);
    CHECK(cloud.send("GET", groups).status == 404);
    CHECK(cloud.send("GET", "/api/iam/v2/ip-groups").status == 200);
}

TEST_CASE("rate limits count in windows")
{
    simulator_options options;
    options.rate_limit = 2;
    options.rate_window = 10s;
    caller cloud(options);
    api_response const first = cloud.send("GET", groups);
    CHECK(header(first, "X-RateLimit-Limit") == "2");
    CHECK(header(first, "X-RateLimit-Remaining") == "1");
    CHECK(header(first, "X-RateLimit-Reset") == "10");
    cloud.advance(8500ms);
    CHECK(header(cloud.send("GET", "/nowhere"), "X-RateLimit-Limit").empty());
    api_response const refused = cloud.send("GET", groups);
    CHECK(refused.status == 429);
    CHECK(refused.body.empty());
    CHECK(header(refused, "Retry-After") == "2");
    CHECK(header(refused, "X-RateLimit-Remaining") == "0");
    CHECK(header(refused, "X-RateLimit-Reset") == "2");
    cloud.advance(1500ms);
    CHECK(cloud.send("GET", groups).status == 200);

    options.rate_limit = 0;
    options.rate_headers = false;
    options.retry_after = false;
    CHECK(caller(options).send("GET", groups).headers.size() == 1); // the request id
}

TEST_CASE("the CA file holds a certificate of its own and goes with its maker")
{
    std::string path;
    {
        tls_identity const identity;
        path = identity.ca_file();
        struct stat about = {};
        REQUIRE(::stat(path.c_str(), &about) == 0);
        CHECK((about.st_mode & 0777) == 0600);
        std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "r"), &std::fclose);
        certificate_pointer const ca(PEM_read_X509(file.get(), nullptr, nullptr, nullptr));
        REQUIRE(ca != nullptr);
        CHECK(X509_check_ca(ca.get()) == 1);

        std::unique_ptr<SSL_CTX, void (*)(SSL_CTX*)> context(SSL_CTX_new(TLS_server_method()), &SSL_CTX_free);
        identity.install(context.get());
        X509* const server = SSL_CTX_get0_certificate(context.get());
        CHECK(X509_verify(server, X509_get0_pubkey(ca.get())) == 1);
        CHECK(X509_check_host(server, "localhost", 0, 0, nullptr) == 1);
        CHECK(X509_check_ip_asc(server, "127.0.0.1", 0) == 1);
        CHECK(X509_check_ip_asc(server, "::1", 0) == 1);
        CHECK(SSL_CTX_get_min_proto_version(context.get()) == TLS1_2_VERSION);
    }
    CHECK_FALSE(std::ifstream(path).good());
}

namespace {

/** The descriptors of this process, by number. */
std::set<int> descriptors()
{
    std::set<int> open;
    for (auto const& each : std::filesystem::directory_iterator("/proc/self/fd"))
        open.insert(std::stoi(each.path().filename().string()));
    return open;
}

} // namespace

TEST_CASE("the sockets of a simulator are close-on-exec, so that a program that a test starts does not keep its port")
{
    namespace asio = boost::asio;
    asio::io_context io;
    asio::ip::tcp::socket client(io, asio::ip::tcp::v4());
    auto const before = descriptors();
    simulator_options options;
    options.plaintext = true;
    ccloud::testing::simulator const server(options);
    auto const url = server.endpoint();
    auto const port = static_cast<std::uint16_t>(std::stoi(url.substr(url.rfind(':') + 1)));
    client.connect({asio::ip::address_v4::loopback(), port});
    asio::write(client, asio::buffer(std::string_view("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")));
    std::array<char, 16> answer;
    asio::read(client, asio::buffer(answer)); // so the connection is accepted
    std::size_t sockets = 0;
    for (int const each : descriptors())
    {
        int const flags = ::fcntl(each, F_GETFD);
        if (flags < 0 || before.count(each) > 0)
            continue;
        struct stat about
        {
        };
        sockets += ::fstat(each, &about) == 0 && S_ISSOCK(about.st_mode) ? 1U : 0U;
        CAPTURE(std::filesystem::read_symlink("/proc/self/fd/" + std::to_string(each)).string());
        CHECK((flags & FD_CLOEXEC) != 0);
    }
    CHECK(sockets >= 2); // one that listens, or two, and the connection
}
