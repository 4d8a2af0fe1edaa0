"""A front asks the device process which tasks there are."""

import pytest

from serving.decoding.decoder import DecoderSettings
from serving.errors import Refused
from serving.protocol import ErrorCode
from serving.rows.listing import Listing
from serving.runtime.device_client import DeviceClient
from serving.runtime.front_engine import FrontEngine
from tests.fakes.tiny_device import TinyDevice


def test_lists_and_refusals_come_through_the_device_process(tmp_path):
    device = TinyDevice(tmp_path)
    device.begin()
    front = FrontEngine(DeviceClient(tmp_path, 60.0), DecoderSettings(threads=1), 60.0)
    try:
        page = front.list_tasks(Listing(limit=1, patterns=("task*",)))
        assert [task.task for task in page.tasks] == ["task0"]
        assert page.next == "task0"
        (task,) = front.list_tasks(Listing(task="task1")).tasks
        assert task.class_names
        with pytest.raises(Refused) as refused:
            front.list_tasks(Listing(task="none"))
        body = refused.value.body
        assert (body.code, body.task) == (ErrorCode.TASK_NOT_FOUND, "none")
        assert "'none'" in body.message
    finally:
        front.close()
        device.close()
