// libcurl's multi interface over epoll; with --json the bodies become documents of Boost.JSON and then structs.
#include "dom.hpp"
#include "load.hpp"

#include <curl/curl.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <array>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

void check(CURLcode code)
{
    if (code != CURLE_OK)
        throw std::runtime_error(curl_easy_strerror(code));
}

void check(CURLMcode code)
{
    if (code != CURLM_OK)
        throw std::runtime_error(curl_multi_strerror(code));
}

struct list_free
{
    void operator()(curl_slist* fields) const noexcept { curl_slist_free_all(fields); }
};

/** One easy handle, used for one request after the other. */
class transfer
{
public:
    transfer(load::job const& asked, curl_slist* fields) : asked_(asked)
    {
        auto const url = "https://" + asked.authority() + asked.target;
        set(CURLOPT_URL, url.c_str());
        set(CURLOPT_CAINFO, asked.ca_file.c_str());
        set(CURLOPT_HTTP_VERSION, long{CURL_HTTP_VERSION_1_1});
        set(CURLOPT_SSLVERSION, long{CURL_SSLVERSION_TLSv1_3});
        set(CURLOPT_HTTPHEADER, fields);
        set(CURLOPT_USERAGENT, "curl_multi/1.0");
        set(CURLOPT_TCP_NODELAY, 1L);
        set(CURLOPT_NOSIGNAL, 1L);
        set(CURLOPT_PRIVATE, this);
        set(CURLOPT_WRITEDATA, this);
        set(CURLOPT_WRITEFUNCTION, &transfer::write);
    }

    CURL* handle() const { return handle_.get(); }

    /** The next request; false where none is left. */
    bool begin()
    {
        if (left == 0)
            return false;
        --left;
        body_.clear();
        received_ = 0;
        begun_ = load::clock::now();
        return true;
    }

    load::clock::time_point begun() const { return begun_; }

    void end(CURLcode code)
    {
        check(code);
        long status = 0;
        check(curl_easy_getinfo(handle(), CURLINFO_RESPONSE_CODE, &status));
        asked_.check(static_cast<int>(status), received_);
        if (!asked_.json)
            return;
        if (asked_.wants_page() ? dom::read_page(body_).size() != 100 : dom::read_group(body_).id.empty())
            throw std::runtime_error("a body was read wrongly");
    }

    std::size_t left = 0;

private:
    template <class Value>
    void set(CURLoption option, Value value)
    {
        check(curl_easy_setopt(handle(), option, value));
    }

    static std::size_t write(char* data, std::size_t, std::size_t size, void* to)
    {
        auto& self = *static_cast<transfer*>(to);
        self.received_ += size;
        if (self.asked_.json)
            self.body_.append(data, size);
        return size;
    }

    load::job const& asked_;
    std::unique_ptr<CURL, decltype(&curl_easy_cleanup)> handle_{curl_easy_init(), &curl_easy_cleanup};
    std::string body_;
    std::size_t received_ = 0;
    load::clock::time_point begun_;
};

/** For small bodies a little cheaper than curl_multi_poll() with curl_multi_perform(), for large ones as good. */
class epoll_loop
{
public:
    explicit epoll_loop(load::job const& asked)
    {
        set(CURLMOPT_MAX_TOTAL_CONNECTIONS, static_cast<long>(asked.connections));
        set(CURLMOPT_MAXCONNECTS, static_cast<long>(asked.connections));
        set(CURLMOPT_SOCKETDATA, this);
        set(CURLMOPT_SOCKETFUNCTION, &epoll_loop::watch);
        set(CURLMOPT_TIMERDATA, this);
        set(CURLMOPT_TIMERFUNCTION, &epoll_loop::arm);
    }
    ~epoll_loop() { ::close(epoll_); }
    epoll_loop(epoll_loop const&) = delete;
    epoll_loop& operator=(epoll_loop const&) = delete;

    void start(transfer& next)
    {
        if (!next.begin())
            return;
        check(curl_multi_add_handle(multi_.get(), next.handle()));
        ++active_;
    }

    void run(load::meter& measured)
    {
        std::array<epoll_event, 128> events;
        while (active_ > 0)
        {
            int const ready = timeout_ == 0 ? 0 : ::epoll_wait(epoll_, events.data(), events.size(), timeout_);
            if (ready <= 0)
            {
                timeout_ = -1;
                act(CURL_SOCKET_TIMEOUT, 0);
            }
            for (int i = 0; i < ready; ++i)
            {
                auto const& event = events[static_cast<std::size_t>(i)];
                int const in = event.events & EPOLLIN ? CURL_CSELECT_IN : 0;
                int const out = event.events & EPOLLOUT ? CURL_CSELECT_OUT : 0;
                int const failed = event.events & (EPOLLERR | EPOLLHUP) ? CURL_CSELECT_ERR : 0;
                act(event.data.fd, in | out | failed);
            }
            finish(measured);
        }
    }

private:
    template <class Value>
    void set(CURLMoption option, Value value)
    {
        check(curl_multi_setopt(multi_.get(), option, value));
    }

    void act(curl_socket_t socket, int events)
    {
        int running = 0;
        check(curl_multi_socket_action(multi_.get(), socket, events, &running));
    }

    void finish(load::meter& measured)
    {
        int queued = 0;
        while (auto const* const message = curl_multi_info_read(multi_.get(), &queued))
        {
            CURL* const handle = message->easy_handle;
            auto const code = message->data.result;
            transfer* done = nullptr;
            check(curl_easy_getinfo(handle, CURLINFO_PRIVATE, &done));
            check(curl_multi_remove_handle(multi_.get(), handle));
            --active_;
            done->end(code);
            measured.note(done->begun());
            start(*done);
        }
    }

    static int watch(CURL*, curl_socket_t socket, int what, void* loop, void* known)
    {
        auto& self = *static_cast<epoll_loop*>(loop);
        epoll_event event{};
        event.data.fd = socket;
        event.events = (what & CURL_POLL_IN ? EPOLLIN : 0u) | (what & CURL_POLL_OUT ? EPOLLOUT : 0u);
        int const change = what == CURL_POLL_REMOVE ? EPOLL_CTL_DEL : known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;
        ::epoll_ctl(self.epoll_, change, socket, &event);
        curl_multi_assign(self.multi_.get(), socket, what == CURL_POLL_REMOVE ? nullptr : loop);
        return 0;
    }

    static int arm(CURLM*, long milliseconds, void* loop)
    {
        static_cast<epoll_loop*>(loop)->timeout_ = static_cast<int>(milliseconds);
        return 0;
    }

    int epoll_ = ::epoll_create1(EPOLL_CLOEXEC);
    int timeout_ = -1;
    std::size_t active_ = 0;
    std::unique_ptr<CURLM, decltype(&curl_multi_cleanup)> multi_{curl_multi_init(), &curl_multi_cleanup};
};

void contend(load::job const& asked, load::meter& measured)
{
    check(curl_global_init(CURL_GLOBAL_DEFAULT));
    auto const authorization = "Authorization: " + std::string(load::authorization);
    std::unique_ptr<curl_slist, list_free> fields(curl_slist_append(nullptr, authorization.c_str()));
    curl_slist_append(fields.get(), "Accept: application/json");
    std::vector<std::unique_ptr<transfer>> transfers;
    for (std::size_t i = 0; i < asked.connections; ++i)
        transfers.push_back(std::make_unique<transfer>(asked, fields.get()));
    epoll_loop loop(asked);
    measured.measure([&](std::size_t requests) {
        for (std::size_t i = 0; i < transfers.size(); ++i)
        {
            transfers[i]->left = load::share(requests, transfers.size(), i);
            loop.start(*transfers[i]);
        }
        loop.run(measured);
    });
}

} // namespace

int main(int count, char** arguments)
{
    return load::run(count, arguments, {"--json"}, contend);
}
