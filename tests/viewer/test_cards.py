import html.parser

import numpy as np

from jaxsoftras.viewer import cards
from jaxsoftras.viewer.exhibits import Exhibit

NASTY = "<img src=x onerror='window.injected = 1'>\"&\x00\n\ud800"


class Tags(html.parser.HTMLParser):
    """Tags and text of a page."""

    def __init__(self, text: str):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_texts_are_escaped():
    image = np.zeros((2, 2, 3), np.uint8)
    exhibit = Exhibit(NASTY, (), [(NASTY, image)], [(NASTY, NASTY)], [NASTY])
    found = Tags(cards.write_card(exhibit, [NASTY]))
    images = [attributes for tag, attributes in found.tags if tag == "img"]
    assert [image["src"][:22] for image in images] == ["data:image/png;base64,"]
    assert not any("onerror" in attributes for _, attributes in found.tags)
    assert found.text.count("<img src=x onerror='window.injected = 1'>\"&") == 6
    assert "\x00" not in found.text and found.text.encode()
    assert "<img" not in cards.write_status(NASTY)


def test_problems_look_different():
    assert cards.write_status("a", problem=True) != cards.write_status("a")
