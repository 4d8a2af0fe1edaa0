"""A task's pointer as Redis keeps it: one hash, read by one script and moved by another.

The hash has the fields `version` and `sequence`, and with a canary `canary` and `share`. It lives
for seconds. Every move of a pointer counts up the epoch, a number that no flush or restart makes
repeat itself, and is announced, all in one step.
"""

import re

from pydantic import ValidationError

from adapters.store.directory import Pointer

READ = """
local longest = ARGV[1]
local left = redis.call('PTTL', KEYS[1])
if left == -2 then return {} end
if left < 0 or left > tonumber(longest) then return {'it would live too long'} end
local fields = {'version', 'sequence', 'canary', 'share'}
for _, field in ipairs(fields) do
    if redis.call('HSTRLEN', KEYS[1], field) > 64 then return {'a field is too long'} end
end
local found = redis.call('HMGET', KEYS[1], unpack(fields))
if found[2] and not found[1] then return {} end
return found
"""
"""Returns the four fields, [] where there is no pointer, and else why it is not one of ours.

A huge field is never sent.
"""

MOVE = """
local version, sequence, canary, share = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local longest, lifetime, is_publish = ARGV[5], ARGV[6], ARGV[7] == '1'
local channel, task = ARGV[8], ARGV[9]

-- pcall, because a stranger may have put another type under our key; that counts as nothing, as
-- does a hash that would outlive every pointer of ours
local held = redis.pcall('HMGET', KEYS[1], 'version', 'sequence', 'canary', 'share')
local left = redis.call('PTTL', KEYS[1])
if held.err or left < 0 or left > tonumber(longest) then held = {} end
local held_sequence = tonumber(held[2] or 0) or 0

local is_news
if held_sequence > tonumber(sequence) then
    -- who is right is not known here: keep the number, name no version, and the store is asked
    redis.call('HDEL', KEYS[1], 'version', 'canary', 'share')
    is_news = is_publish or held[1]
else
    local is_same = held[1] == version and held[2] == sequence
        and (held[3] or '') == canary and (held[4] or '') == share
    is_news = is_publish or (not is_same and held_sequence > 0)
    local fields = {'version', version, 'sequence', sequence}
    if canary ~= '' then fields = {'canary', canary, 'share', share, unpack(fields)} end
    -- a write that is never refused comes first: a full Redis loses the old pointer all the same
    redis.call('DEL', KEYS[1])
    redis.call('HSET', KEYS[1], unpack(fields))
    redis.call('PEXPIRE', KEYS[1], lifetime)
end
if not is_news then return end

local time = redis.call('TIME')
local microseconds = time[1] .. string.format('%06d', time[2])
-- an emptied Redis begins at the time: from 1 it could reach a number that was heard before the
-- flush, and a watcher would think that it had missed nothing
redis.call('SET', KEYS[2], microseconds, 'NX')
local counted = redis.pcall('INCR', KEYS[2])
if type(counted) == 'table' then redis.call('SET', KEYS[2], microseconds) end
redis.call('PUBLISH', channel, redis.call('GET', KEYS[2]) .. ' ' .. task)
"""
"""Makes a pointer the task's, and announces it if that is news.

A pointer that is older than the one Redis has never gets in. Only the store knows which of the
two is out of date, a slow publisher's or that of a Redis that outlived a restored store: Redis
keeps the number alone, for the rest of its life, and the store answers until a pointer with that
number or a higher one comes. A reader's filling an empty place is no news; a publish always is, for
a reader may have filled the place with the same pointer while the publish was on its way.
"""

_SEQUENCE = re.compile(rb"[1-9][0-9]{0,14}")
_SHARE = re.compile(rb"[0-9.e-]{1,30}")


def to_fields(pointer: Pointer) -> tuple[str, str, str, str]:
    """Return version, sequence, canary and share as MOVE takes them, '' for no canary."""
    canary = pointer.canary
    version, share = ("", "") if canary is None else (canary.version, repr(canary.share))
    return pointer.version, str(pointer.sequence), version, share


def from_reply(reply: object) -> Pointer | None:
    """Return the pointer that READ found, None if that is not one of ours."""
    match reply:
        case [bytes(version), bytes(sequence), canary, share] if _SEQUENCE.fullmatch(sequence):
            return _pointer(version, int(sequence), canary, share)
    return None


def _pointer(version: bytes, sequence: int, canary: object, share: object) -> Pointer | None:
    fields: dict[str, object] = {"version": _text(version), "sequence": sequence}
    match canary, share:
        case None, None:
            pass
        case bytes(), bytes() if _SHARE.fullmatch(share):
            fields["canary"] = {"version": _text(canary), "share": _text(share)}
        case _:
            return None
    try:
        return Pointer.model_validate(fields)
    except ValidationError:
        return None


def _text(data: bytes) -> str:
    return data.decode("ascii", "replace")
