#ifndef CCLOUD_TESTING_SIMULATOR_TLS_HPP
#define CCLOUD_TESTING_SIMULATOR_TLS_HPP

#include <openssl/ssl.h>

#include <memory>
#include <string>

namespace ccloud::testing::simulated {

struct openssl_delete
{
    void operator()(EVP_PKEY* key) const noexcept { EVP_PKEY_free(key); }
    void operator()(X509* certificate) const noexcept { X509_free(certificate); }
};
using key_pointer = std::unique_ptr<EVP_PKEY, openssl_delete>;
using certificate_pointer = std::unique_ptr<X509, openssl_delete>;

/** A file with a name of its own that only this user may read; it lives as long as the object. */
class temporary_file
{
public:
    /** Writes `content` to a new file in $TMPDIR, or /tmp. @throws std::system_error */
    explicit temporary_file(std::string const& content);
    ~temporary_file();
    temporary_file(temporary_file const&) = delete;
    temporary_file& operator=(temporary_file const&) = delete;

    std::string const& path() const noexcept { return path_; }

private:
    std::string path_;
};

/** A certificate authority made for one run, and a server certificate of it for this machine: localhost, 127.0.0.1,
    ::1. The authority's key is forgotten once it has signed. */
class tls_identity
{
public:
    tls_identity();

    /** PEM file with the authority's certificate. */
    std::string const& ca_file() const noexcept { return ca_file_.path(); }

    /** Makes `context` a server with this identity: TLS 1.2 and later, ALPN "http/1.1". */
    void install(SSL_CTX* context) const;

private:
    struct authority;
    explicit tls_identity(authority const& issuer);

    key_pointer key_;
    certificate_pointer certificate_;
    temporary_file ca_file_;
};

} // namespace ccloud::testing::simulated

#endif
