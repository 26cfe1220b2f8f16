#ifndef CCLOUD_REMOVED_HPP
#define CCLOUD_REMOVED_HPP

namespace ccloud {

/** The outcome of a `remove()` that succeeded. */
struct removed
{
    /** An earlier try of the same call may have removed it: the answer to a repeated one was "not found". False where
        an answer was a success by its head, though the rest of it may not have come. An object that was missing from
        the start is an error (`condition::not_found`). */
    bool already_gone = false;
};

} // namespace ccloud

#endif
