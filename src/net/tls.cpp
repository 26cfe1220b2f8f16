#include "net/tls.hpp"

#include <ccloud/error.hpp>

#include "core/url.hpp"
#include "net/factory.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <string_view>

namespace ccloud::net {

namespace {

constexpr std::string_view http_1_1("\x08http/1.1", 9);

boost::system::error_code last_error()
{
    return {static_cast<int>(::ERR_get_error()), asio::error::get_ssl_category()};
}

} // namespace

tls_profile::tls_profile(config::tls_options const& options) : context_(asio::ssl::context::tls_client)
{
    auto* const handle = context_.native_handle();
    ::SSL_CTX_set_min_proto_version(handle, TLS1_2_VERSION);
    ::SSL_CTX_set_options(handle, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    context_.set_verify_mode(asio::ssl::verify_peer);
    boost::system::error_code failed;
    if (options.ca_file.empty())
        context_.set_default_verify_paths(failed);
    else
        context_.load_verify_file(options.ca_file, failed);
    if (failed)
        throw configuration_error(
            (options.ca_file.empty() ? std::string("tls: the system's certificates")
                                     : "tls.ca_file: \"" + options.ca_file + "\"") +
            " cannot be read: " + failed.message()
        );
}

std::shared_ptr<tls_profile const> make_tls_profile(config::tls_options const& options)
{
    return std::make_shared<tls_profile>(options);
}

boost::system::error_code prepare(tls_stream& stream, std::string const& host)
{
    ::ERR_clear_error();
    auto* const ssl = stream.native_handle();
    if (core::is_ip_address(host))
    {
        if (::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl), host.c_str()) != 1)
            return last_error();
    }
    else
    {
        ::SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        if (::SSL_set1_host(ssl, host.c_str()) != 1 || ::SSL_set_tlsext_host_name(ssl, host.c_str()) != 1)
            return last_error();
    }
    // Zero is success here.
    if (::SSL_set_alpn_protos(
            ssl, reinterpret_cast<unsigned char const*>(http_1_1.data()), static_cast<unsigned>(http_1_1.size())
        ) != 0)
        return last_error();
    return {};
}

std::string certificate_complaint(tls_stream& stream)
{
    auto const verdict = ::SSL_get_verify_result(stream.native_handle());
    if (verdict == X509_V_OK)
        return {};
    return ::X509_verify_cert_error_string(verdict);
}

bool speaks_other_protocol(tls_stream& stream)
{
    unsigned char const* name = nullptr;
    unsigned length = 0;
    ::SSL_get0_alpn_selected(stream.native_handle(), &name, &length);
    return length > 0 && std::string_view(reinterpret_cast<char const*>(name), length) != http_1_1.substr(1);
}

} // namespace ccloud::net
