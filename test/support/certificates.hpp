#ifndef CCLOUD_TEST_SUPPORT_CERTIFICATES_HPP
#define CCLOUD_TEST_SUPPORT_CERTIFICATES_HPP

#include "testing/simulator_tls.hpp"

#include <chrono>
#include <string>
#include <vector>

namespace support {

/** A certificate, with those above it where there are any but the root, and its private key; both PEM. */
struct identity
{
    std::string certificate;
    std::string key;
};

/** What a certificate says. */
struct subject
{
    std::string common_name = "test";
    std::vector<std::string> names;                     ///< DNS names it is good for
    std::vector<std::string> addresses;                 ///< and IP addresses
    std::chrono::seconds from = std::chrono::hours(-1); ///< it is valid, counted from now
    std::chrono::seconds until = std::chrono::hours(24);
    std::string usage = "serverAuth,clientAuth";

    /** For a server on this machine: localhost, 127.0.0.1. */
    static subject local();

    /** For a server that is called so. */
    static subject named(std::string name);

    /** For a client. */
    static subject client(std::string common_name);
};

/** A certificate authority (EC P-256); `issue` signs with its key. Throws std::runtime_error where OpenSSL fails. */
class authority
{
public:
    explicit authority(std::string const& name = "test CA");

    /** PEM of the certificate to trust. */
    std::string const& certificate() const noexcept { return root_; }

    identity issue(subject const& to) const;

    /** An authority below this one: what it issues comes with its own certificate. */
    authority intermediate(std::string const& name) const;

private:
    authority(std::string const& name, authority const* above);

    ccloud::testing::simulated::key_pointer key_;
    ccloud::testing::simulated::certificate_pointer own_;
    std::string root_;
    std::string chain_; // between what it issues and the root
};

/** A certificate that vouches for itself. */
identity self_signed(subject const& to);

/** The private key under a password, PEM. */
std::string encrypted(std::string const& key, std::string const& password);

} // namespace support

#endif
