#include "certificates.hpp"

#include <openssl/bio.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <memory>
#include <stdexcept>
#include <utility>

namespace support {

using ccloud::testing::simulated::certificate_pointer;
using ccloud::testing::simulated::key_pointer;

namespace {

struct bio_delete
{
    void operator()(BIO* memory) const noexcept { BIO_free(memory); }
};
using bio_pointer = std::unique_ptr<BIO, bio_delete>;

/** Passes on what OpenSSL returned, where that is not a failure. */
template <class Result>
Result check(Result result, char const* what)
{
    if (result)
        return result;
    char reason[256];
    ERR_error_string_n(ERR_get_error(), reason, sizeof reason);
    throw std::runtime_error(std::string("certificates: ") + what + ": " + reason);
}

bio_pointer memory()
{
    return bio_pointer(check(BIO_new(BIO_s_mem()), "memory"));
}

std::string text_of(BIO* from)
{
    char* text = nullptr;
    long const length = BIO_get_mem_data(from, &text);
    return std::string(text, static_cast<std::size_t>(length));
}

std::string to_pem(X509* certificate)
{
    auto const text = memory();
    check(PEM_write_bio_X509(text.get(), certificate), "PEM");
    return text_of(text.get());
}

std::string to_pem(EVP_PKEY* key)
{
    auto const text = memory();
    check(PEM_write_bio_PrivateKey(text.get(), key, nullptr, nullptr, 0, nullptr, nullptr), "PEM");
    return text_of(text.get());
}

key_pointer make_key()
{
    return key_pointer(check(EVP_EC_gen("P-256"), "key"));
}

void add_extension(X509* certificate, X509* issuer, int id, std::string const& value)
{
    X509V3_CTX context;
    X509V3_set_ctx_nodb(&context);
    X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
    X509_EXTENSION* const extension = check(X509V3_EXT_conf_nid(nullptr, &context, id, value.c_str()), value.c_str());
    int const added = X509_add_ext(certificate, extension, -1);
    X509_EXTENSION_free(extension);
    check(added, value.c_str());
}

void set_time(ASN1_TIME* field, std::chrono::seconds from_now)
{
    check(X509_time_adj_ex(field, 0, static_cast<long>(from_now.count()), nullptr), "validity");
}

/** A certificate for `key`, neither extended nor signed yet. */
certificate_pointer make_certificate(EVP_PKEY* key, subject const& to)
{
    certificate_pointer certificate(check(X509_new(), "certificate"));
    X509* const made = certificate.get();
    check(X509_set_version(made, X509_VERSION_3), "version");
    std::uint64_t serial = 0;
    check(RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) == 1, "random");
    check(ASN1_INTEGER_set_uint64(X509_get_serialNumber(made), serial >> 1 | 1), "serial");
    set_time(X509_getm_notBefore(made), to.from);
    set_time(X509_getm_notAfter(made), to.until);
    auto const* name = reinterpret_cast<unsigned char const*>(to.common_name.c_str());
    check(X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_UTF8, name, -1, -1, 0), "subject");
    check(X509_set_pubkey(made, key), "public key");
    return certificate;
}

std::string alternative_names(subject const& to)
{
    std::string text;
    for (auto const& name : to.names)
        text += (text.empty() ? "DNS:" : ",DNS:") + name;
    for (auto const& address : to.addresses)
        text += (text.empty() ? "IP:" : ",IP:") + address;
    return text;
}

/** Null: the certificate is its own issuer. */
void finish_leaf(X509* certificate, subject const& to, X509* issuer, EVP_PKEY* issuer_key)
{
    X509* const above = issuer ? issuer : certificate;
    add_extension(certificate, above, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(certificate, above, NID_key_usage, "critical,digitalSignature");
    add_extension(certificate, above, NID_ext_key_usage, to.usage);
    if (auto const names = alternative_names(to); !names.empty())
        add_extension(certificate, above, NID_subject_alt_name, names);
    add_extension(certificate, above, NID_subject_key_identifier, "hash");
    add_extension(certificate, above, NID_authority_key_identifier, "keyid");
    check(X509_set_issuer_name(certificate, X509_get_subject_name(above)), "issuer");
    check(X509_sign(certificate, issuer_key, EVP_sha256()), "signature");
}

} // namespace

subject subject::local()
{
    subject made;
    made.names = {"localhost"};
    made.addresses = {"127.0.0.1"};
    return made;
}

subject subject::named(std::string name)
{
    subject made;
    made.names = {std::move(name)};
    return made;
}

subject subject::client(std::string common_name)
{
    subject made;
    made.common_name = std::move(common_name);
    return made;
}

authority::authority(std::string const& name) : authority(name, nullptr)
{
}

authority::authority(std::string const& name, authority const* above) : key_(make_key())
{
    subject to;
    to.common_name = name;
    to.from = std::chrono::hours(-24 * 365); // also for what is long expired
    to.until = std::chrono::hours(24 * 365);
    own_ = make_certificate(key_.get(), to);
    X509* const own = own_.get();
    X509* const issuer = above ? above->own_.get() : own;
    add_extension(own, issuer, NID_basic_constraints, "critical,CA:TRUE");
    add_extension(own, issuer, NID_key_usage, "critical,keyCertSign,cRLSign");
    add_extension(own, issuer, NID_subject_key_identifier, "hash");
    check(X509_set_issuer_name(own, X509_get_subject_name(issuer)), "issuer");
    check(X509_sign(own, above ? above->key_.get() : key_.get(), EVP_sha256()), "signature");
    root_ = above ? above->root_ : to_pem(own);
    if (above)
        chain_ = to_pem(own) + above->chain_;
}

identity authority::issue(subject const& to) const
{
    auto const key = make_key();
    auto const certificate = make_certificate(key.get(), to);
    finish_leaf(certificate.get(), to, own_.get(), key_.get());
    return {to_pem(certificate.get()) + chain_, to_pem(key.get())};
}

authority authority::intermediate(std::string const& name) const
{
    return authority(name, this);
}

identity self_signed(subject const& to)
{
    auto const key = make_key();
    auto const certificate = make_certificate(key.get(), to);
    finish_leaf(certificate.get(), to, nullptr, key.get());
    return {to_pem(certificate.get()), to_pem(key.get())};
}

std::string encrypted(std::string const& key, std::string const& password)
{
    bio_pointer const source(check(BIO_new_mem_buf(key.data(), static_cast<int>(key.size())), "memory"));
    key_pointer const plain(check(PEM_read_bio_PrivateKey(source.get(), nullptr, nullptr, nullptr), "key"));
    auto const text = memory();
    auto const* secret = reinterpret_cast<unsigned char const*>(password.data());
    check(
        PEM_write_bio_PrivateKey(
            text.get(), plain.get(), EVP_aes_256_cbc(), secret, static_cast<int>(password.size()), nullptr, nullptr
        ),
        "PEM"
    );
    return text_of(text.get());
}

} // namespace support
