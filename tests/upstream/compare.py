"""Where two final states differ. Imports nothing, so that comparing is quick."""


def differences(one, two, path=""):
    """The paths at which two final states differ, as readable lines."""
    if isinstance(one, dict) and isinstance(two, dict):
        lines = []
        for key in sorted(set(one) | set(two), key=str):
            here = "%s/%s" % (path, key)
            if key not in one:
                lines.append("%s: only in the second" % here)
            elif key not in two:
                lines.append("%s: only in the first" % here)
            else:
                lines += differences(one[key], two[key], here)
        return lines
    return [] if one == two else ["%s: %r, %r" % (path, one, two)]
