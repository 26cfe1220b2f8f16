#ifndef CCLOUD_TESTING_SIMULATOR_API_HPP
#define CCLOUD_TESTING_SIMULATOR_API_HPP

#include <ccloud/testing/simulator.hpp>

#include "testing/simulator_text.hpp"

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ccloud::testing::simulated {

/** What the API looks at in a request. The views must live as long as the request is answered. */
struct api_request
{
    std::string_view method;
    std::string_view target;        ///< path and query, as on the wire
    std::string_view authorization; ///< empty: there is none
    std::string_view content_type;
    std::string_view body;
};

/** What the API says. Framing (Content-Length, Connection) is not its business. */
struct api_response
{
    int status = 200;
    std::string body;
    std::vector<std::pair<std::string, std::string>> headers;
};

/** The four APIs without a network: a request and the time give a response. Knows nothing of the library's own
    encoding and decoding, so that it cannot share their mistakes. Threads: one at a time. */
class api
{
public:
    /** The options have been checked; those of the server itself are not looked at. */
    api(simulator_options options, instant start);
    ~api();

    /** `now` never goes back. */
    api_response answer(api_request const& request, instant now);

    /** 32 hexadecimal digits, each time others. */
    std::string next_request_id();

    /** See `simulator::set_phase`. */
    bool set_phase(std::string_view id, std::string phase, std::string error_message, instant now);

private:
    struct state;
    std::unique_ptr<state> state_;
};

} // namespace ccloud::testing::simulated

#endif
