#ifndef CCLOUD_CORE_SHARED_FIELDS_HPP
#define CCLOUD_CORE_SHARED_FIELDS_HPP

#include <ccloud/http.hpp>

#include <memory>
#include <string>
#include <utility>

namespace ccloud::detail {

/** Lets the copies of a response share its header fields. */
struct shared_fields
{
    /** Moves the fields of a response to `place`, which is empty, so that its further copies allocate nothing. */
    static void share(response_info& of, std::shared_ptr<http_headers> place) noexcept
    {
        bool const fits_inline = of.headers_.text().size() <= std::string().capacity(); // then copies allocate nothing
        if (of.shared_ || fits_inline)
            return;
        *place = std::exchange(of.headers_, {});
        of.shared_ = std::move(place);
    }
};

} // namespace ccloud::detail

#endif
