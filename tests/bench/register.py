"""A made-up register: always the same for a size. No agency or agreement here is real."""

import random
from collections.abc import Sequence

from agreements.models import (
    Agency,
    Agreement,
    CooperationArea,
    FormerSlug,
    Milestone,
    Participation,
    ProductCategory,
    Provision,
    Relation,
    Source,
)

WORDS = [
    "inspection",
    "reliance",
    "exchange",
    "safety",
    "device",
    "vaccine",
    "training",
    "assessment",
    "quality",
    "dossier",
    "recall",
    "surveillance",
    "pilot",
    "regional",
    "programme",
    "trial",
    "herbal",
    "digital",
    "laboratory",
    "standard",
]
COUNTRIES = ["SG", "JP", "KR", "US", "GB", "CH", "AU", "CA", "BR", "IN", "EU", "ZA"]
AGENCIES = 500
FIRST_YEAR, LAST_YEAR = 1990, 2026
#: How many in a hundred provisions are one-way, and how many participants came late; of those,
#: every other one has left. In the shipped register it is three and two.
ONE_WAY, LATE = 4, 3


def fill(size: int) -> None:
    """Fill a database that has the vocabularies. What follows from the records is left to
    ``manage.py derive``."""
    draw = random.Random(1)  # noqa: S311
    Agency.objects.bulk_create(
        Agency(
            key=f"bench-{n}",
            name=f"Made-up Agency {n}",
            acronym=f"MUA{n}",
            native_name="厚生局" if n % 5 == 0 else "",
            native_language="ja" if n % 5 == 0 else "",
            jurisdiction=draw.choice(COUNTRIES),
            kind="regulator",
        )
        for n in range(AGENCIES)
    )
    for start in range(0, size, 2000):
        add(range(start, min(start + 2000, size)), draw)


def add(numbers: Sequence[int], draw: random.Random, **fields: object) -> list[int]:
    """Add the agreements with these numbers; returns their ids."""
    depths, commitments = (
        [code for code, _ in Provision._meta.get_field(name).choices]
        for name in ("depth", "commitment")
    )
    areas = list(CooperationArea.objects.all())
    products = list(ProductCategory.objects.all())
    agencies = list(Agency.objects.filter(key__startswith="bench-").order_by("pk"))
    years = [draw.randint(FIRST_YEAR, LAST_YEAR) for _ in numbers]
    given = {"state": "published"} | fields
    agreements = Agreement.objects.bulk_create(
        Agreement(
            slug=f"bench-{n}",
            title=f"Made-up memorandum {n} on {' '.join(draw.sample(WORDS, 3))}",
            short_title=f"Bench {n} uniqueword{n}",
            instrument_type=draw.choice(["moc", "mou", "mra"]),
            summary=" ".join(draw.choices(WORDS, k=30)),
            signed_on=f"{year}-{draw.randint(1, 12 if year < LAST_YEAR else 6):02}",
            **given,
        )
        for n, year in zip(numbers, years, strict=True)
    )
    Source.objects.bulk_create(
        Source(
            agreement=a,
            number=number,
            publisher="Made-up publisher",
            title="Made up",
            url=f"https://example.org/{a.slug}/{number}" if number < 3 else "",
        )
        for a in agreements
        for number in range(1, draw.randint(2, 4))
    )
    of_agreements = Agreement.products.through
    of_agreements.objects.bulk_create(
        of_agreements(agreement=a, productcategory=product)
        for a in agreements
        for product in draw.sample(products, draw.randint(0, 3))
    )
    Relation.objects.bulk_create(
        Relation(agreement=later, kind="builds_on", target=earlier)
        for earlier, later in zip(agreements[::2], agreements[1::2], strict=False)
    )
    FormerSlug.objects.bulk_create(
        FormerSlug(agreement=a, slug=f"former-{a.slug}") for a in agreements[::20]
    )
    parties = {a.pk: draw.sample(agencies, draw.randint(2, 4)) for a in agreements}
    Participation.objects.bulk_create(
        Participation(
            agreement=a, agency=agency, position=position, **_membership(year, position, draw)
        )
        for a, year in zip(agreements, years, strict=True)
        for position, agency in enumerate(parties[a.pk], start=1)
    )
    provisions = Provision.objects.bulk_create(
        Provision(
            agreement=a,
            position=position,
            area=draw.choice(areas),
            depth=draw.choice(depths),
            commitment=draw.choice(commitments),
            statement=" ".join(draw.choices(WORDS, k=12)),
            **_direction(parties[a.pk], draw),
        )
        for a in agreements
        for position in range(draw.randint(1, 5))
    )
    through = Provision.products.through
    through.objects.bulk_create(
        through(provision=p, productcategory=product)
        for p in provisions
        for product in draw.sample(products, 2)
    )
    Milestone.objects.bulk_create(
        Milestone(agreement=a, kind=kind, date=f"{draw.randint(1995, LAST_YEAR - 1)}")
        for a in agreements
        for kind in draw.sample(["announced", "entered_into_force", "suspended", "renewed"], 2)
    )
    return [a.pk for a in agreements]


def _membership(year: int, position: int, draw: random.Random) -> dict[str, str]:
    """When a participant joined and left, if it was not there all the time; the first two were."""
    if position < 3 or year == LAST_YEAR or draw.random() * 100 >= LATE * 3:
        return {}
    joined = draw.randint(year, LAST_YEAR - 1)
    if draw.random() < 0.5:
        return {"joined_on": f"{joined}-03"}
    return {"joined_on": f"{joined}-03", "left_on": f"{draw.randint(joined, LAST_YEAR - 1)}-09"}


def _direction(parties: Sequence[Agency], draw: random.Random) -> dict[str, object]:
    """The direction of a provision, and who relies on whom if it is one-way."""
    if draw.random() * 100 < ONE_WAY:
        relying, reference = draw.sample(parties, 2)
        return {"direction": "one_way", "relying": relying, "reference": reference}
    return {"direction": draw.choices(["mutual", "not_stated"], [4, 1])[0]}
