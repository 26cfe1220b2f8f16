#ifndef CCLOUD_TEST_SUPPORT_FEW_DESCRIPTORS_HPP
#define CCLOUD_TEST_SUPPORT_FEW_DESCRIPTORS_HPP

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <stdexcept>
#include <vector>

namespace support {

/** While it exists, this process can open only a given number of further descriptors. */
class few_descriptors
{
public:
    explicit few_descriptors(std::size_t left)
    {
        ::getrlimit(RLIMIT_NOFILE, &before_);
        // The limit of the system is one for descriptor numbers: all numbers below it are taken, and then some are
        // freed.
        rlimit low = before_;
        low.rlim_cur = highest_ + 1;
        ::setrlimit(RLIMIT_NOFILE, &low);
        for (int made = 0; (made = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;)
            taken_.push_back(made);
        if (taken_.size() < left)
            throw std::runtime_error("few_descriptors: too many are open");
        for (; left > 0; --left, taken_.pop_back())
            ::close(taken_.back());
    }
    ~few_descriptors()
    {
        for (int const each : taken_)
            ::close(each);
        ::setrlimit(RLIMIT_NOFILE, &before_);
    }
    few_descriptors(few_descriptors const&) = delete;
    few_descriptors& operator=(few_descriptors const&) = delete;

private:
    static constexpr rlim_t highest_ = 255;
    rlimit before_{};
    std::vector<int> taken_;
};

} // namespace support

#endif
