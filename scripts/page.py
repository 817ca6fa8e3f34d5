"""A page of which each script owns a section: what stands between two comments with its name."""


def write(file, name, text):
    """Puts `text` in the place of the section `name`, or at the end of a page that has none."""
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->\n"
    page = file.read_text() if file.exists() else ""
    before, found, rest = page.partition(begin)
    after = rest.partition(end)[2] if found else ""
    gap = "" if found or not before else "\n"
    file.write_text(before + gap + begin + text.strip("\n") + "\n" + end + after)
