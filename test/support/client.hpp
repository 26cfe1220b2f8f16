#ifndef CCLOUD_TEST_SUPPORT_CLIENT_HPP
#define CCLOUD_TEST_SUPPORT_CLIENT_HPP

#include <ccloud/client.hpp>
#include <ccloud/testing/run.hpp>
#include <ccloud/testing/scripted_transport.hpp>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/this_coro.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace support {

/** A configuration for clients over a scripted transport. */
inline ccloud::config test_config()
{
    ccloud::config settings;
    settings.endpoint = "https://api.example.test";
    settings.credentials = ccloud::api_key("KEY", "SECRET");
    settings.threading = ccloud::threading::serial;
    return settings;
}

/** The same for tests that look at the first answer: nothing is tried twice. */
inline ccloud::config impatient_config()
{
    auto settings = test_config();
    settings.retry = ccloud::retry_policy::none();
    return settings;
}

inline std::shared_ptr<ccloud::testing::scripted_transport> script()
{
    return std::make_shared<ccloud::testing::scripted_transport>();
}

using client_body = std::function<boost::asio::awaitable<void>(ccloud::client)>;

inline boost::asio::awaitable<void> run_with_client(
    std::shared_ptr<ccloud::testing::scripted_transport> wire, client_body const& body, ccloud::config settings
)
{
    auto executor = co_await boost::asio::this_coro::executor;
    ccloud::client cloud(executor, std::move(settings), std::move(wire));
    co_await body(cloud);
}

/** Makes a client over `wire` and runs `body` with it under virtual time. */
inline void with_client(
    std::shared_ptr<ccloud::testing::scripted_transport> wire, client_body body, ccloud::config settings = test_config()
)
{
    ccloud::testing::run([&] { return run_with_client(wire, body, settings); });
}

/** What a collection decides of a request: method and target, Content-Type, an empty line, the body. */
inline std::string text(ccloud::http_request const& request)
{
    std::string lines(ccloud::to_string(request.verb()));
    lines += ' ';
    lines += request.target();
    lines += '\n';
    if (auto const type = request.headers().find("Content-Type"))
    {
        lines += "Content-Type: ";
        lines += *type;
        lines += '\n';
    }
    lines += '\n';
    lines += request.body();
    return lines;
}

inline std::string text(ccloud::testing::recorded_request const& sent)
{
    return text(sent.request);
}

/** The texts of all requests so far. */
inline std::vector<std::string> sent(ccloud::testing::scripted_transport const& wire)
{
    std::vector<std::string> texts;
    for (auto const& each : wire.requests())
        texts.push_back(text(each));
    return texts;
}

/** For expectations inside macros, where a braced list cannot stand. */
template <class... Texts>
std::vector<std::string> list_of(Texts&&... texts)
{
    return {std::string(std::forward<Texts>(texts))...};
}

/** The text of a request without a body: "GET /iam/v2/ip-groups". */
inline std::string bare(std::string line)
{
    return line + "\n\n";
}

/** The text of a request with a JSON body. */
inline std::string with_json(std::string line, std::string body)
{
    return line + "\nContent-Type: application/json\n\n" + body;
}

} // namespace support

#endif
