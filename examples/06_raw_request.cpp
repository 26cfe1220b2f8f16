// The lower tier: an endpoint this library does not know, with the same authentication, retries and errors.
#include <ccloud/ccloud.hpp>

#include "run_example.hpp"

#include <iostream>

namespace asio = boost::asio;

asio::awaitable<void> environments(ccloud::client cloud)
{
    auto answer = co_await cloud.execute(ccloud::http_request(ccloud::method::get, "/org/v2/environments?page_size=5"));
    if (answer)
        std::cout << answer->body() << '\n';
    else
        std::cout << answer.error().what() << '\n'; // the simulator does not know it either
}

int main()
{
    return run_example(environments);
}
