#ifndef CCLOUD_TEST_SUPPORT_GUARDED_TEXT_HPP
#define CCLOUD_TEST_SUPPORT_GUARDED_TEXT_HPP

#include <sys/mman.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <new>
#include <string_view>

namespace support {

/** A copy of a text whose last byte is the last one of a page, before a page that cannot be read: whoever reads a byte
    more ends the test program. */
class guarded_text
{
public:
    explicit guarded_text(std::string_view text)
        : page_(static_cast<std::size_t>(::sysconf(_SC_PAGESIZE))), size_((text.size() / page_ + 1) * page_),
          memory_(::mmap(nullptr, size_ + page_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0))
    {
        if (memory_ == MAP_FAILED || ::mprotect(static_cast<char*>(memory_) + size_, page_, PROT_NONE) != 0)
            throw std::bad_alloc();
        auto* const begin = static_cast<char*>(memory_) + size_ - text.size();
        if (!text.empty())
            std::memcpy(begin, text.data(), text.size());
        view_ = {begin, text.size()};
    }
    ~guarded_text() { ::munmap(memory_, size_ + page_); }
    guarded_text(guarded_text const&) = delete;
    guarded_text& operator=(guarded_text const&) = delete;

    std::string_view view() const noexcept { return view_; }

private:
    std::size_t const page_;
    std::size_t const size_;
    void* const memory_;
    std::string_view view_;
};

} // namespace support

#endif
