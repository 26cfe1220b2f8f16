#include "testing/simulator_tls.hpp"

#include <fcntl.h>
#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <system_error>

namespace ccloud::testing::simulated {

namespace {

constexpr long an_hour = 60 * 60;
constexpr long a_month = 30 * 24 * an_hour;

/** Passes on what OpenSSL returned, where that is not a failure. */
template <class Result>
Result check(Result result, char const* what)
{
    if (result)
        return result;
    char reason[256];
    ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
    throw std::runtime_error(std::string("simulator: ") + what + ": " + reason);
}

key_pointer make_key()
{
    return key_pointer(check(EVP_EC_gen("P-256"), "key"));
}

void set_random_serial(X509* certificate)
{
    std::uint64_t serial = 0;
    check(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1, "random");
    check(ASN1_INTEGER_set_uint64(X509_get_serialNumber(certificate), serial >> 1 | 1), "serial");
}

void set_validity(X509* certificate)
{
    check(X509_gmtime_adj(X509_getm_notBefore(certificate), -an_hour), "validity");
    check(X509_gmtime_adj(X509_getm_notAfter(certificate), a_month), "validity");
}

void set_subject(X509* certificate, char const* common_name)
{
    auto const* text = reinterpret_cast<unsigned char const*>(common_name);
    X509_NAME* const subject = X509_get_subject_name(certificate);
    check(X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text, -1, -1, 0), "subject");
}

/** A certificate for `key`, not signed yet. */
certificate_pointer make_certificate(EVP_PKEY* key, char const* common_name)
{
    certificate_pointer certificate(check(X509_new(), "certificate"));
    check(X509_set_version(certificate.get(), X509_VERSION_3), "version");
    set_random_serial(certificate.get());
    set_validity(certificate.get());
    set_subject(certificate.get(), common_name);
    check(X509_set_pubkey(certificate.get(), key), "public key");
    return certificate;
}

void add_extension(X509* certificate, X509* issuer, int id, char const* value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* const extension = check(X509V3_EXT_conf_nid(nullptr, &context, id, value), value);
    int const added = X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    check(added, value);
}

void sign(X509* certificate, X509* issuer, EVP_PKEY* issuer_key)
{
    check(X509_set_issuer_name(certificate, X509_get_subject_name(issuer)), "issuer");
    check(X509_sign(certificate, issuer_key, EVP_sha256()), "signature");
}

std::string to_pem(X509* certificate)
{
    std::unique_ptr<BIO, decltype(&BIO_free)> memory(check(BIO_new(BIO_s_mem()), "memory"), &BIO_free);
    check(PEM_write_bio_X509(memory.get(), certificate), "PEM");
    char* text = nullptr;
    long const length = BIO_get_mem_data(memory.get(), &text);
    return std::string(text, static_cast<std::size_t>(length));
}

int choose_protocol(SSL*, unsigned char const** chosen, unsigned char* length, unsigned char const* offered, unsigned offered_length, void*)
{
    static unsigned char const ours[] = "\x08http/1.1";
    unsigned char* match = nullptr;
    int const outcome = SSL_select_next_proto(&match, length, ours, sizeof ours - 1, offered, offered_length);
    *chosen = match;
    return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

[[noreturn]] void throw_system_error(std::string const& path)
{
    throw std::system_error(errno, std::generic_category(), path);
}

void write_all(int file, std::string_view content, std::string const& path)
{
    while (!content.empty())
    {
        ssize_t const written = ::write(file, content.data(), content.size());
        if (written < 0)
            throw_system_error(path);
        content.remove_prefix(static_cast<std::size_t>(written));
    }
}

} // namespace

temporary_file::temporary_file(std::string const& content)
{
    char const* const folder = std::getenv("TMPDIR");
    path_ = std::string(folder != nullptr && *folder != '\0' ? folder : "/tmp") + "/ccloud-simulator-XXXXXX";
    int const file = ::mkostemp(path_.data(), O_CLOEXEC); // readable by its owner alone
    if (file < 0)
        throw_system_error(path_);
    try
    {
        write_all(file, content, path_);
    }
    catch (...)
    {
        ::close(file);
        ::unlink(path_.c_str());
        throw;
    }
    ::close(file);
}

temporary_file::~temporary_file()
{
    ::unlink(path_.c_str());
}

struct tls_identity::authority
{
    authority() : key(make_key()), certificate(make_certificate(key.get(), "ccloud simulator CA"))
    {
        X509* const own = certificate.get();
        add_extension(own, own, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
        add_extension(own, own, NID_key_usage, "critical,keyCertSign,cRLSign");
        add_extension(own, own, NID_subject_key_identifier, "hash");
        sign(own, own, key.get());
    }

    key_pointer key;
    certificate_pointer certificate;
};

tls_identity::tls_identity() : tls_identity(authority())
{
}

tls_identity::tls_identity(authority const& issuer)
    : key_(make_key()), certificate_(make_certificate(key_.get(), "localhost")),
      ca_file_(to_pem(issuer.certificate.get()))
{
    X509* const own = certificate_.get();
    X509* const above = issuer.certificate.get();
    add_extension(own, above, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(own, above, NID_key_usage, "critical,digitalSignature");
    add_extension(own, above, NID_ext_key_usage, "serverAuth");
    add_extension(own, above, NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1");
    add_extension(own, above, NID_subject_key_identifier, "hash");
    add_extension(own, above, NID_authority_key_identifier, "keyid");
    sign(own, above, issuer.key.get());
}

void tls_identity::install(SSL_CTX* context) const
{
    check(SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION), "TLS version");
    check(SSL_CTX_use_certificate(context, certificate_.get()), "certificate");
    check(SSL_CTX_use_PrivateKey(context, key_.get()), "private key");
    SSL_CTX_set_alpn_select_cb(context, &choose_protocol, nullptr);
}

} // namespace ccloud::testing::simulated
