"""
Packaging.  Tool settings are in pyproject.toml.
"""

import re
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
VERSION = re.search(
    r'^__version__ = "([^"]+)"$', (HERE / "arbstr/__init__.py").read_text("utf-8"), re.M
)
assert VERSION is not None

POSTGRES = ["psycopg[binary] >= 3.1"]  # the other database

TEST = [
    *POSTGRES,
    "cryptography >= 42",  # certificates of a test's own
    "hypothesis >= 6.100",  # state machines and splits nobody would think of
    "openai >= 1.40",  # the client most people point at arbstr
]

setup(
    name="arbstr",
    version=VERSION[1],
    description=(
        "A local proxy that sends each OpenAI-style request to the cheapest "
        "healthy provider and keeps the books in sats"
    ),
    long_description=(HERE / "README.md").read_text("utf-8"),
    long_description_content_type="text/markdown",
    license="MIT",
    license_files=["LICENSE"],
    python_requires=">=3.11",
    # Spelled out so that an editable install is a plain path entry: a finder
    # hook would hide twisted/plugins from twistd.
    package_dir={"": "."},
    packages=[*find_packages(include=["arbstr", "arbstr.*"]), "twisted.plugins"],
    package_data={"arbstr": ["py.typed"]},
    entry_points={"console_scripts": ["arbstr = arbstr.cli:main"]},
    install_requires=[
        "alembic >= 1.13",  # the schema's versions
        "attrs >= 23.2",  # records
        "httptools >= 0.7",  # llhttp: providers' responses, read strictly and fast
        "hyperlink >= 21.0",  # URLs as treq wants them
        "klein >= 24.8",  # the resource tree
        "orjson >= 3.9.15",  # every chunk of every stream is read; limits its depth
        "pydantic >= 2.7",  # settings: every error with its path, secrets
        "PyYAML >= 6.0.1",  # the configuration file
        "SQLAlchemy >= 2.0.30",  # one schema for SQLite and PostgreSQL
        "treq >= 24.9",  # calls to providers
        "Twisted[tls] >= 25.5",  # the daemon; 24.7 has the request-smuggling fixes,
        # 25.5 leaves POST bodies alone
        "werkzeug >= 3.0",  # the errors that Klein's routing raises
        "zope.interface >= 6.0",  # how Twisted spells an interface
    ],
    extras_require={
        "postgres": POSTGRES,
        "test": TEST,
        "fuzz": ["atheris >= 2.3"],  # led by coverage, for benchmarks.fuzz
        "dev": [
            *TEST,
            "build >= 1.2",
            "coverage[toml] >= 7.5",
            "mypy >= 1.11",
            "mypy-zope >= 1.0.7",
            "ruff >= 0.6",
            "towncrier >= 24.7",
            "tox >= 4.16",
            "types-PyYAML",
        ],
    },
    classifiers=[
        "Development Status :: 3 - Alpha",
        "Framework :: Twisted",
        "Intended Audience :: End Users/Desktop",
        "Operating System :: POSIX",
        "Programming Language :: Python :: 3",
        "Topic :: Internet :: Proxy Servers",
        "Typing :: Typed",
    ],
    zip_safe=False,
)
