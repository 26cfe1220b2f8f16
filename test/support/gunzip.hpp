#ifndef CCLOUD_TEST_SUPPORT_GUNZIP_HPP
#define CCLOUD_TEST_SUPPORT_GUNZIP_HPP

#include "net/gzip.hpp"

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace support {

/** The final state after all slices of a gzip body. */
inline ccloud::net::gzip_reader::state inflate_all(ccloud::net::gzip_reader& reader)
{
    auto how = ccloud::net::gzip_reader::state::unfinished;
    while (how == ccloud::net::gzip_reader::state::unfinished)
        how = reader.inflate_slice();
    return how;
}

/** The content of a gzip body; nothing if it is damaged, or larger than `most`. */
inline std::optional<std::string> gunzip(std::string_view body, std::size_t most)
{
    ccloud::net::gzip_reader reader(body, most);
    if (inflate_all(reader) != ccloud::net::gzip_reader::state::finished)
        return std::nullopt;
    return reader.take_content();
}

} // namespace support

#endif
