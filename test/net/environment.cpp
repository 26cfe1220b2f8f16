#include <ccloud/ccloud.hpp>

#include "certificates.hpp"
#include "net/shared_network.hpp"
#include "printers.hpp"
#include "rehashed.hpp"
#include "tls_server.hpp"

#include <doctest/doctest.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <stdlib.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

using ccloud::errc;
using ccloud::testing::simulated::certificate_pointer;
using ccloud::testing::simulated::temporary_file;
using support::authority;
using support::complaint;
using support::driven_client;
using support::of_version;
using support::rehashed;
using support::tls_server;

namespace {

/** A variable of the process's environment, for as long as this lives. */
class variable
{
public:
    variable(char const* name, std::string const& value) : name_(name)
    {
        if (auto const* before = std::getenv(name))
            before_ = before;
        ::setenv(name, value.c_str(), 1);
    }
    ~variable()
    {
        if (before_)
            ::setenv(name_, before_->c_str(), 1);
        else
            ::unsetenv(name_);
    }
    variable(variable const&) = delete;
    variable& operator=(variable const&) = delete;

private:
    char const* name_;
    std::optional<std::string> before_;
};

errc code_of(driven_client::outcome const& got)
{
    return got.has_value() ? errc::unset : got.error().code();
}

/** A self-signed CA of the system's directory; null if there is none. */
certificate_pointer authority_of_the_system()
{
    std::error_code none;
    for (auto const& each : std::filesystem::directory_iterator(::X509_get_default_cert_dir(), none))
        if (each.path().extension() == ".0")
            if (auto* const file = std::fopen(each.path().c_str(), "re"))
            {
                certificate_pointer read(::PEM_read_X509(file, nullptr, nullptr, nullptr));
                std::fclose(file);
                if (read)
                    return read;
            }
    return nullptr;
}

/** Whether settings trust that authority. */
bool trusts(ccloud::config const& settings, X509* authority)
{
    auto const profile = ccloud::net::share_network(settings)->for_origin();
    std::unique_ptr<X509_STORE_CTX, decltype(&::X509_STORE_CTX_free)> const check(
        ::X509_STORE_CTX_new(), &::X509_STORE_CTX_free
    );
    auto* const store = ::SSL_CTX_get_cert_store(profile->context().native_handle());
    ::X509_STORE_CTX_init(check.get(), store, authority, nullptr);
    ::X509_STORE_CTX_set_flags(check.get(), X509_V_FLAG_NO_CHECK_TIME);
    return ::X509_verify_cert(check.get()) == 1;
}

} // namespace

TEST_CASE("only from_environment() reads the environment: a config made by hand ignores SSL_CERT_FILE and SSL_CERT_DIR")
{
    authority const ca;
    authority const other("other CA");
    tls_server server(of_version(TLS1_3_VERSION, ca));
    temporary_file const file(ca.certificate());
    rehashed const folder(ca);
    for (auto const& [name, value] : {
             std::pair("SSL_CERT_FILE", file.path()),
             std::pair("SSL_CERT_DIR", folder.path()),
         })
        for (bool const add_to_system : {false, true})
        {
            CAPTURE(name);
            CAPTURE(add_to_system);
            auto settings = server.settings(ca);
            settings.tls = {};
            settings.tls.add_to_system = add_to_system;
            if (add_to_system)
                settings.tls.ca_pem = other.certificate();
            variable const set(name, value);
            driven_client client(settings);
            CHECK(code_of(client.get()) == errc::certificate_unknown_authority);
            client->reload_tls(settings.tls);
            CHECK(code_of(client.get()) == errc::certificate_unknown_authority);
        }
    CHECK(server.counts().requests == 0);
}

TEST_CASE("the environment is read by from_environment() alone: a config made by hand trusts the folder that OpenSSL "
          "was built with")
{
    auto const known = authority_of_the_system();
    if (!known)
    {
        MESSAGE("skipped: this machine has no authorities");
        return;
    }
    ccloud::config settings;
    settings.credentials = ccloud::api_key("KEY", "SECRET");
    CHECK(trusts(settings, known.get()));
    variable const no_file("SSL_CERT_FILE", "/does/not/exist.pem");
    variable const no_folder("SSL_CERT_DIR", "/does/not/exist");
    CHECK(trusts(settings, known.get()));
    settings.tls.ca_pem = authority().certificate();
    CHECK(!trusts(settings, known.get()));
    settings.tls.add_to_system = true;
    CHECK(trusts(settings, known.get()));
}

TEST_CASE("from_environment() takes SSL_CERT_FILE and SSL_CERT_DIR in the place of the system's authorities")
{
    authority const ca;
    authority const other("other CA");
    tls_server server(of_version(TLS1_3_VERSION, ca));
    temporary_file const file(ca.certificate());
    temporary_file const other_file(other.certificate());
    rehashed const folder(ca);
    rehashed const other_folder(other);
    struct row
    {
        std::string file, folder;
        bool good;
    };
    std::vector<row> const table{
        {file.path(), "", true},
        {"", folder.path(), true},
        {"", "/does/not/exist:" + other_folder.path() + ":" + folder.path(), true},
        {other_file.path(), folder.path(), true},
        {file.path(), other_folder.path(), true},
        {other_file.path(), other_folder.path(), false},
        {"", other_folder.path(), false},
        {"", "", false},
    };
    auto const known = authority_of_the_system();
    for (auto const& [ca_file, ca_folder, good] : table)
    {
        CAPTURE(ca_file);
        CAPTURE(ca_folder);
        variable const key("CONFLUENT_CLOUD_API_KEY", "KEY");
        variable const secret("CONFLUENT_CLOUD_API_SECRET", "SECRET");
        variable const endpoint("CONFLUENT_CLOUD_ENDPOINT", server.endpoint());
        variable const file_set("SSL_CERT_FILE", ca_file);
        variable const folder_set("SSL_CERT_DIR", ca_folder);
        auto settings = ccloud::config::from_environment();
        settings.threading = ccloud::threading::serial;
        driven_client client(settings);
        CHECK(code_of(client.get()) == (good ? errc::unset : errc::certificate_unknown_authority));
        if (known)
            CHECK(trusts(settings, known.get()) == (ca_file.empty() && ca_folder.empty()));
    }
}
