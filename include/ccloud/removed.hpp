#ifndef CCLOUD_REMOVED_HPP
#define CCLOUD_REMOVED_HPP

namespace ccloud {

/** The outcome of a `remove()` that succeeded: by a status 2xx, whatever the body of the response is, or see below. */
struct removed
{
    /** An earlier attempt of the same call may have removed it: the response to a retry was one for deleted objects
        (`condition::gone`: 404, 410, or a 403 of the API itself, which may also mean that the credentials lost the right to
        see the object). False if a response had a success status, even if the rest of that response did not come. An object
        that was missing from the start is an error (`condition::not_found` or `gone`). */
    bool already_gone = false;
};

} // namespace ccloud

#endif
