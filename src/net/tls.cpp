#include "net/tls.hpp"

#include "core/ascii.hpp"
#include "core/redact.hpp"
#include "core/shortage.hpp"
#include "core/url.hpp"
#include "net/descriptor_shortage.hpp"
#include "net/shared_network.hpp"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <new>
#include <string_view>
#include <variant>

namespace ccloud::net {

using boost::system::error_code;

namespace {

constexpr std::string_view http_1_1("\x08http/1.1", 9);

/** Tickets are good for less than a server may say (RFC 8446 section 4.6.1 allows a week). */
constexpr std::chrono::hours longest_ticket{24};

error_code last_error()
{
    return {static_cast<int>(::ERR_get_error()), asio::error::get_ssl_category()};
}

[[noreturn]] void refuse(std::string option, std::string const& why = last_error().message())
{
    throw configuration_error(core::printable_whole(std::move(option) + ": " + why));
}

struct bio_delete
{
    void operator()(BIO* bio) const noexcept { ::BIO_free(bio); }
};
struct certificate_delete
{
    void operator()(X509* certificate) const noexcept { ::X509_free(certificate); }
};
using certificate_pointer = std::unique_ptr<X509, certificate_delete>;

struct file_close
{
    void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};

/** The content of a file, or why it cannot be read. Unlike OpenSSL's functions that take a path, this one opens the
    file with close-on-exec, because another thread may start a program meanwhile. */
std::variant<std::string, std::error_code> content_of(std::string const& path)
{
    auto const failed = [] { return std::error_code(errno, std::generic_category()); };
    std::unique_ptr<std::FILE, file_close> const file(std::fopen(path.c_str(), "re"));
    if (!file)
        return failed();
    std::string content;
    std::array<char, 16 * 1024> piece;
    while (auto const read = std::fread(piece.data(), 1, piece.size(), file.get()))
        content.append(piece.data(), read);
    if (std::ferror(file.get()) != 0)
        return failed();
    return content;
}

/** PEM text from an option, or from the file that an option names. */
struct pem_source
{
    std::string text;
    std::string option; ///< its name in errors: "tls.ca_pem", or "tls.ca_file: "/some/where""
};

/** Reads the one of two exclusive options that is set; the text is empty if neither is. */
pem_source read_pem(char const* which, std::string const& file, std::string const& pem)
{
    auto const option = "tls." + std::string(which);
    if (!file.empty() && !pem.empty())
        refuse(option + "_file and " + option + "_pem", "only one of the two may be set");
    if (file.empty())
        return {pem, option + "_pem"};
    auto content = content_of(file);
    if (auto const* failed = std::get_if<std::error_code>(&content))
        refuse(option + "_file: cannot read \"" + file + '"', failed->message());
    return {std::get<std::string>(std::move(content)), option + "_file: \"" + file + '"'};
}

/** Trusts the certificates of a text, up to the first invalid one.
    @return whether there is at least one, and all are valid */
bool trust_text(SSL_CTX* context, std::string const& pem)
{
    std::unique_ptr<BIO, bio_delete> const text(::BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    int added = 0;
    while (auto const one = certificate_pointer(::PEM_read_bio_X509_AUX(text.get(), nullptr, nullptr, nullptr)))
        if (::X509_STORE_add_cert(::SSL_CTX_get_cert_store(context), one.get()) == 1)
            ++added;
        else
            throw std::bad_alloc(); // the only possible reason: the store accepts duplicates
    bool const to_the_end = ::ERR_GET_REASON(::ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ::ERR_clear_error();
    return added > 0 && to_the_end;
}

/** Trusts the file and the directory that OpenSSL was built to trust; either may be missing. OpenSSL's function for
    that, SSL_CTX_set_default_verify_paths, would read SSL_CERT_FILE and SSL_CERT_DIR. */
void trust_system(SSL_CTX* context)
{
    std::string const file = ::X509_get_default_cert_file();
    auto const content = content_of(file);
    auto const* failed = std::get_if<std::error_code>(&content);
    if (failed && !core::shortage_of(*failed).empty()) // the file may exist
        refuse("tls: cannot read \"" + file + '"', failed->message());
    if (!failed)
        trust_text(context, std::get<std::string>(content));
    if (::SSL_CTX_load_verify_dir(context, ::X509_get_default_cert_dir()) != 1)
        refuse("tls: the system's certificates cannot be used");
}

/** Trusts the certificates in directories. OpenSSL reads them during each handshake. */
void trust_directories(SSL_CTX* context, std::string const& list)
{
    auto const folders = core::split(list, ':');
    std::error_code no_such;
    bool const all_there = std::all_of(folders.begin(), folders.end(), [&no_such](std::string_view folder) {
        return std::filesystem::is_directory(folder, no_such);
    });
    if (folders.empty() || !all_there)
        refuse("tls.ca_directory: \"" + list + '"', "is not a directory, or lists one that does not exist");
    if (::SSL_CTX_load_verify_dir(context, list.c_str()) != 1)
        refuse("tls.ca_directory: \"" + list + "\" cannot be used");
}

void trust(SSL_CTX* context, config::tls_options const& options)
{
    auto const given = read_pem("ca", options.ca_file, options.ca_pem);
    bool const only_system = options.ca_file.empty() && options.ca_directory.empty() && options.ca_pem.empty();
    if (only_system || options.add_to_system)
        trust_system(context);
    bool const has_text = !options.ca_file.empty() || !options.ca_pem.empty();
    if (has_text && !trust_text(context, given.text))
        refuse(given.option, "cannot be read as PEM certificates");
    if (!options.ca_directory.empty())
        trust_directories(context, options.ca_directory);
}

void show(asio::ssl::context& context, config::tls_options const& options)
{
    auto const certificate = read_pem("certificate", options.certificate_file, options.certificate_pem);
    auto const key = read_pem("key", options.key_file, options.key_pem);
    bool const has_certificate = !options.certificate_file.empty() || !options.certificate_pem.empty();
    bool const has_key = !options.key_file.empty() || !options.key_pem.empty();
    if (has_certificate != has_key)
        refuse(
            has_certificate ? "tls.key_file, tls.key_pem" : "tls.certificate_file, tls.certificate_pem",
            has_certificate ? "none is set, but a certificate is" : "none is set, but a key is"
        );
    if (!has_certificate)
        return;
    error_code failed;
    context.use_certificate_chain(asio::buffer(certificate.text), failed);
    if (failed)
        refuse(certificate.option + " cannot be read", failed.message());
    // Without this OpenSSL asks for a password at the terminal.
    context.set_password_callback(
        [password = options.key_password](std::size_t, asio::ssl::context::password_purpose) { return password; },
        failed
    );
    context.use_private_key(asio::buffer(key.text), asio::ssl::context::pem, failed);
    if (failed)
        refuse(key.option + " cannot be used", failed.message());
    if (::SSL_CTX_check_private_key(context.native_handle()) != 1)
        refuse("tls: the key is not that of the certificate");
}

errc code_of(long verify_result) noexcept
{
    switch (verify_result)
    {
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return errc::certificate_wrong_host;
    case X509_V_ERR_CERT_HAS_EXPIRED:
    case X509_V_ERR_CERT_NOT_YET_VALID: return errc::certificate_expired;
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT: return errc::certificate_self_signed;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_SIGNATURE_FAILURE:
    case X509_V_ERR_CERT_UNTRUSTED: return errc::certificate_unknown_authority;
    default: return errc::certificate_rejected;
    }
}

/** The code of OpenSSL that Asio passes on as an int; 0 where it is something else. */
unsigned long openssl_code(error_code const& failed) noexcept
{
    return failed.category() == asio::error::get_ssl_category() ? static_cast<unsigned>(failed.value()) : 0;
}

/** The system error that an OpenSSL error stands for; else the error as it is. */
std::error_code cause_of(error_code const& failed) noexcept
{
    auto const code = openssl_code(failed);
    if (ERR_SYSTEM_ERROR(code))
        return {ERR_GET_REASON(code), std::system_category()};
    if (ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE)
        return std::make_error_code(std::errc::not_enough_memory);
    return failed;
}

/** Whether OpenSSL failed internally, mostly for lack of memory, according to the error queue of this thread. */
bool is_internal_failure() noexcept
{
    return ERR_FATAL_ERROR(::ERR_peek_error()) != 0 || ERR_FATAL_ERROR(::ERR_peek_last_error()) != 0;
}

/** Whether a chain failed because none of its certificates is trusted. */
bool is_untrusted(X509_STORE_CTX* chain) noexcept
{
    auto const code = code_of(::X509_STORE_CTX_get_error(chain));
    return code == errc::certificate_unknown_authority || code == errc::certificate_self_signed;
}

/** Verifies a chain as OpenSSL does by default, but distinguishes a bad chain from an internal failure and from a lack
    of descriptors. OpenSSL 3.0.22 and 3.5 do not report that they could not open a file in a directory of CAs. */
int verify_chain(X509_STORE_CTX* chain, void*) noexcept
{
    int const good = ::X509_verify_cert(chain);
    if (good == 1)
        return good;
    if (is_internal_failure())
        ::X509_STORE_CTX_set_error(chain, X509_V_ERR_OUT_OF_MEM);
    else if (is_untrusted(chain))
        if (auto const lacking = descriptor_shortage())
        {
            ::ERR_clear_error(); // the oldest error of the queue becomes that of the handshake
            ERR_raise(ERR_LIB_SYS, lacking.value());
        }
    return good;
}

/** Makes OpenSSL parse the extensions of the trusted certificates now. It does so once per certificate; if it lacks
    memory at that moment, it treats the certificate as invalid from then on. */
void read_extensions(X509_STORE* trusted)
{
    auto* const all = ::X509_STORE_get0_objects(trusted);
    ::ERR_clear_error();
    for (int i = 0; i < sk_X509_OBJECT_num(all); ++i)
        if (auto* const one = ::X509_OBJECT_get0_X509(sk_X509_OBJECT_value(all, i)))
            if (::X509_check_purpose(one, -1, 0) != 1 && is_internal_failure())
                throw std::bad_alloc();
}

/** What TLS itself objects to; 0 where it is something else. */
int reason_of(error_code const& failed) noexcept
{
    auto const code = openssl_code(failed);
    bool const is_of_tls = !ERR_SYSTEM_ERROR(code) && !ERR_COMMON_ERROR(code) && ERR_GET_LIB(code) == ERR_LIB_SSL;
    return is_of_tls ? ERR_GET_REASON(code) : 0;
}

/** Whether the first bytes of the peer were not a TLS record, but for instance plain HTTP or an SSH banner. */
bool is_not_tls(SSL* ssl, error_code const& failed) noexcept
{
    auto const reason = reason_of(failed);
    bool const no_record =
        reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST || reason == SSL_R_HTTPS_PROXY_REQUEST;
    return no_record && ::SSL_get_state(ssl) == TLS_ST_CW_CLNT_HELLO;
}

/** Alerts of a server in trouble. */
bool may_pass(int reason) noexcept
{
    return reason == SSL_R_TLSV1_ALERT_INTERNAL_ERROR || reason == SSL_R_TLSV1_ALERT_USER_CANCELLED;
}

bool is_about_version(int reason) noexcept
{
    return reason == SSL_R_UNSUPPORTED_PROTOCOL || reason == SSL_R_TLSV1_ALERT_PROTOCOL_VERSION ||
           reason == SSL_R_WRONG_SSL_VERSION || reason == SSL_R_UNSUPPORTED_SSL_VERSION ||
           reason == SSL_R_VERSION_TOO_LOW;
}

/** Alerts by which a server refuses a client's certificate, or the want of one. Servers of TLS 1.2 often say no more
    than "handshake failure". */
bool is_about_our_certificate(int reason) noexcept
{
    switch (reason)
    {
    case SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED:
    case SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE:
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED: return true;
    default: return false;
    }
}

/** Creates the context here, because Asio's constructor goes on without one if OpenSSL reports no reason. */
SSL_CTX* make_context()
{
    ::ERR_clear_error();
    if (auto* const made = ::SSL_CTX_new(::TLS_client_method()))
        return made;
    throw std::bad_alloc();
}

bool speaks_other_protocol(SSL* ssl)
{
    unsigned char const* name = nullptr;
    unsigned length = 0;
    ::SSL_get0_alpn_selected(ssl, &name, &length);
    return length > 0 && std::string_view(reinterpret_cast<char const*>(name), length) != http_1_1.substr(1);
}

/** The common name is never compared, and a wildcard matches a whole label only (RFC 9110 section 4.3.4). */
constexpr unsigned host_check = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT;

bool is_for(X509* certificate, std::string const& host) noexcept
{
    if (core::is_ip_address(host))
        return ::X509_check_ip_asc(certificate, host.c_str(), 0) == 1;
    return ::X509_check_host(certificate, host.c_str(), host.size(), host_check, nullptr) == 1;
}

tls_peer::verdict out_of(std::string_view lacking, std::error_code const& cause)
{
    return {errc::tls_failed, "out of " + std::string(lacking), false, cause};
}

tls_peer::verdict out_of_memory()
{
    auto const cause = std::make_error_code(std::errc::not_enough_memory);
    return out_of(core::shortage_of(cause), cause);
}

std::time_t issued_at(SSL_SESSION const* session) noexcept
{
#if OPENSSL_VERSION_NUMBER >= 0x30300000L
    return ::SSL_SESSION_get_time_ex(session); // the older function is deprecated from OpenSSL 3.4 on
#else
    return static_cast<std::time_t>(::SSL_SESSION_get_time(session));
#endif
}

bool is_too_old(SSL_SESSION const* session) noexcept
{
    auto const age = std::time(nullptr) - issued_at(session);
    auto const most = std::min<long>(::SSL_SESSION_get_timeout(session), std::chrono::seconds(longest_ticket).count());
    return age < 0 || age >= most;
}

} // namespace

void session_store::put(std::string const& peer, session_pointer session)
{
    std::lock_guard const lock(mutex_);
    auto& kept = sessions_[peer];
    kept.push_front(std::move(session));
    if (kept.size() > most_)
        kept.pop_back();
}

session_pointer session_store::take(std::string const& peer)
{
    std::lock_guard const lock(mutex_);
    auto const found = sessions_.find(peer);
    if (found == sessions_.end())
        return nullptr;
    auto& kept = found->second;
    std::erase_if(kept, [](session_pointer const& one) { return is_too_old(one.get()); });
    if (kept.empty())
        return nullptr;
    if (::SSL_SESSION_get_protocol_version(kept.front().get()) < TLS1_3_VERSION)
        return session_pointer(::SSL_SESSION_dup(kept.front().get()));
    auto newest = std::move(kept.front());
    kept.pop_front();
    return newest;
}

std::size_t session_store::size() const noexcept
{
    std::lock_guard const lock(mutex_);
    std::size_t all = 0;
    for (auto const& [peer, kept] : sessions_)
        all += kept.size();
    return all;
}

tls_profile::tls_profile(config::tls_options const& options, bool shows_certificate, std::size_t tickets_for_a_peer)
    : context_(make_context()), tickets_(tickets_for_a_peer)
{
    auto* const handle = context_.native_handle();
    (void)tls_peer::index(); // so that it cannot fail in a callback
    ::SSL_CTX_set_min_proto_version(handle, options.require_tls_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION);
    ::SSL_CTX_set_options(handle, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    ::SSL_CTX_set_session_cache_mode(handle, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    ::SSL_CTX_sess_set_new_cb(handle, tls_peer::on_session);
    ::SSL_CTX_set_cert_cb(handle, tls_peer::on_certificate_request, nullptr);
    ::SSL_CTX_set_cert_verify_callback(handle, verify_chain, nullptr);
    context_.set_verify_mode(asio::ssl::verify_peer);
    ::ERR_clear_error();
    trust(handle, options);
    read_extensions(::SSL_CTX_get_cert_store(handle));
    if (shows_certificate)
        show(context_, options);
}

tls_peer::tls_peer(std::shared_ptr<tls_profile> profile, std::string_view host, std::uint16_t port)
    : profile_(std::move(profile)), host_(core::without_dot_at_end(host)), name_(host_ + ' ' + std::to_string(port))
{
}

int tls_peer::index()
{
    // Index 0, the application data, belongs to Asio. After an exception the next call tries again.
    static int const mine = [] {
        int const made = ::SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
        if (made < 0)
            throw std::bad_alloc();
        return made;
    }();
    return mine;
}

/** Keeps a copy: OpenSSL spoils a session when its connection ends without a goodbye. */
int tls_peer::on_session(SSL* ssl, SSL_SESSION* session)
{
    auto const* const self = static_cast<tls_peer const*>(::SSL_get_ex_data(ssl, index()));
    if (!self || ::SSL_get_verify_result(ssl) != X509_V_OK)
        return 0;
    try
    {
        if (session_pointer copy(::SSL_SESSION_dup(session)); copy)
            self->profile_->tickets().put(self->name_, std::move(copy));
    }
    catch (...) // of OpenSSL no exception may get out; then there is one ticket less
    {
    }
    return 0; // OpenSSL keeps its own
}

int tls_peer::on_certificate_request(SSL* ssl, void*)
{
    if (auto* const self = static_cast<tls_peer*>(::SSL_get_ex_data(ssl, index())))
        self->asked_ = true;
    return 1;
}

error_code tls_peer::prepare(SSL* ssl)
{
    ::ERR_clear_error();
    if (::SSL_set_ex_data(ssl, index(), this) != 1)
        return last_error();
    if (core::is_ip_address(host_))
    {
        if (::X509_VERIFY_PARAM_set1_ip_asc(::SSL_get0_param(ssl), host_.c_str()) != 1)
            return last_error();
    }
    else
    {
        ::SSL_set_hostflags(ssl, host_check);
        if (::SSL_set1_host(ssl, host_.c_str()) != 1 || ::SSL_set_tlsext_host_name(ssl, host_.c_str()) != 1)
            return last_error();
    }
    // Zero is success here.
    if (::SSL_set_alpn_protos(
            ssl, reinterpret_cast<unsigned char const*>(http_1_1.data()), static_cast<unsigned>(http_1_1.size())
        ) != 0)
        return last_error();
    if (auto const ticket = profile_->tickets().take(name_))
        ::SSL_set_session(ssl, ticket.get());
    return {};
}

tls_peer::verdict tls_peer::judge(SSL* ssl, error_code const& failed) const
{
    auto const cause = cause_of(failed);
    // First, because OpenSSL reads a directory of CAs during the handshake, and verification fails if it cannot.
    if (auto const lacking = core::shortage_of(cause); !lacking.empty())
        return out_of(lacking, cause);
    auto const verified = ::SSL_get_verify_result(ssl);
    if (verified == X509_V_ERR_OUT_OF_MEM)
        return out_of_memory();
    if (verified != X509_V_OK)
        // Permanent only if TLS itself reports the failure: OpenSSL also calls a key "too weak" for lack of memory.
        return {code_of(verified), ::X509_verify_cert_error_string(verified), reason_of(failed) != 0, cause};
    if (failed)
    {
        // An objection of TLS itself is permanent; a broken connection and an internal failure of OpenSSL are not.
        if (is_not_tls(ssl, failed))
            return {errc::tls_failed, "the peer did not answer with TLS (plain HTTP on this port?)", true, {}};
        if (is_about_version(reason_of(failed)))
            return {errc::tls_version_unsupported, {}, true, cause};
        if (rejects_our_certificate(failed))
            return {errc::client_certificate_rejected, {}, true, cause};
        bool const permanent = reason_of(failed) != 0 && !may_pass(reason_of(failed)) && !is_internal_failure();
        return {errc::tls_failed, {}, permanent, cause};
    }
    if (speaks_other_protocol(ssl))
        return {errc::tls_failed, "the server chose another protocol than http/1.1", true, {}};
    certificate_pointer const shown(::SSL_get1_peer_certificate(ssl));
    if (!shown)
        return {errc::certificate_rejected, "the server showed no certificate", true, {}};
    ::ERR_clear_error();
    if (is_for(shown.get(), host_))
        return {};
    if (is_internal_failure())
        return out_of_memory();
    return {errc::certificate_wrong_host, ::X509_verify_cert_error_string(X509_V_ERR_HOSTNAME_MISMATCH), true, {}};
}

bool tls_peer::rejects_our_certificate(error_code const& failed) const noexcept
{
    return asked_ && is_about_our_certificate(reason_of(failed));
}

} // namespace ccloud::net
