#ifndef CCLOUD_NET_GZIP_HPP
#define CCLOUD_NET_GZIP_HPP

#include <boost/beast/zlib/inflate_stream.hpp>
#include <boost/crc.hpp>

#include <cstddef>
#include <string>
#include <string_view>

namespace ccloud::net {

/** Whether a body begins like gzip. Some services compress without saying so. */
bool looks_like_gzip(std::string_view body) noexcept;

/** Inflates a body of one or more gzip members (RFC 1952 section 2.2), a slice at a time, so that a long body does not
    hold up its executor. CRC and length of each member are checked. */
class gzip_reader
{
public:
    enum class state : unsigned char {
        unfinished,
        finished,
        damaged,   ///< not gzip, cut short, damaged, or followed by something else
        too_large, ///< the content has more bytes than the limit
    };

    /** Most bytes that one slice reads and writes: a few milliseconds of work. The first bound is needed because a
        body may have any number of blocks and members without content. */
    static constexpr std::size_t longest_input = 64 * 1024;
    static constexpr std::size_t longest_output = 1024 * 1024;

    /** `body` must outlive the reader. The content may have up to `limit` bytes. */
    gzip_reader(std::string_view body, std::size_t limit);

    state inflate_slice();

    /** The content, after the state `finished`. */
    std::string take_content();

private:
    bool begin_member();
    bool end_member();
    void make_room(std::size_t most);

    boost::beast::zlib::inflate_stream inflater_;
    boost::crc_32_type checksum_;
    std::string_view rest_; ///< of the body
    std::size_t limit_;
    std::string content_;    ///< `filled_` bytes, and room for more
    std::size_t filled_ = 0; ///< bytes of content
    std::size_t member_ = 0; ///< where the content of the current member begins
    bool in_member_ = false;
};

} // namespace ccloud::net

#endif
