#ifndef CCLOUD_TEST_SUPPORT_RELAY_HPP
#define CCLOUD_TEST_SUPPORT_RELAY_HPP

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace support {

/** A TLS record as it is on the wire. */
struct tls_record
{
    int type = 0; ///< 23: application data, and over TLS 1.3 whatever is encrypted
    std::size_t size = 0;
};

/** Passes bytes on between clients and a server of this machine, on a thread of its own, and reads along what the
    clients say. It notes each byte before it passes it on. */
class relay
{
public:
    explicit relay(std::uint16_t to);
    ~relay();
    relay(relay const&) = delete;
    relay& operator=(relay const&) = delete;

    std::uint16_t port() const noexcept;

    /** "https://localhost:port". */
    std::string endpoint() const;

    /** The records of the newest client so far, whole ones. */
    std::vector<tls_record> records() const;

private:
    class implementation;
    std::unique_ptr<implementation> impl_;
};

} // namespace support

#endif
