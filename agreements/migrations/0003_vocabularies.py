"""The first set of cooperation areas and product categories, drawn from the register's own data.

Later changes are made in the admin; this set is only ever added, never overwritten.
"""

from django.db import migrations

STAGE_AREAS = {
    "clinical_trials_review": [
        ("clinical-trials-cooperation", "Clinical trials review, in general", ""),
        (
            "clinical-trial-authorisation",
            "Clinical trial authorisation",
            "Applications for and assessment of clinical trials.",
        ),
        (
            "gcp-inspection",
            "GCP inspection",
            "Inspection of good clinical practice, its planning and its reports. Training alone "
            "is staff training.",
        ),
    ],
    "product_review": [
        ("product-review-cooperation", "Product review, in general", ""),
        (
            "assessment-information",
            "Assessment reports and application information",
            "Exchange of what one side knows from its own assessment.",
        ),
        ("joint-assessment", "Joint assessment", "The sides assess an application together."),
        (
            "assessment-reliance",
            "Reliance on assessment reports",
            "One side's report stands in for part of the other's work.",
        ),
    ],
    "registration": [
        ("registration-cooperation", "Registration, in general", ""),
        (
            "registration-reliance",
            "Reliance on marketing authorisation decisions",
            "The decision itself is relied on or recognised.",
        ),
        (
            "registration-requirements",
            "Common registration requirements",
            "Shared dossiers, classification or rules for registration.",
        ),
    ],
    "manufacturing": [
        ("manufacturing-cooperation", "Manufacturing, in general", ""),
        (
            "gmp-inspection-reliance",
            "GMP inspection reliance",
            "Certificates or inspection outcomes of one side are used or accepted by the other. "
            "The depth says whether it is reliance or recognition.",
        ),
        (
            "gmp-inspection-cooperation",
            "Joint or observed inspections",
            "The sides inspect together or watch each other inspect.",
        ),
        (
            "gmp-information",
            "GMP inspection information",
            "Exchange of reports and compliance information without reliance being stated.",
        ),
        (
            "device-qms-audit",
            "Medical device quality system audits",
            "Audits of device makers' quality management systems.",
        ),
        (
            "batch-certification",
            "Batch certification",
            "Batch certificates, or waiving batch testing on import.",
        ),
    ],
    "post_market_oversight": [
        ("post-market-cooperation", "Post-market oversight, in general", ""),
        (
            "pharmacovigilance",
            "Pharmacovigilance and safety information",
            "Adverse reactions and events, signals, risk management, of devices too.",
        ),
        ("recalls-alerts", "Recalls and safety alerts", ""),
        ("market-surveillance", "Market surveillance and control", ""),
    ],
    "": [
        ("regulatory-dialogue", "Regulatory dialogue", "Meetings and understanding."),
        ("information-exchange", "Exchange of regulatory information", "At no stated stage."),
        (
            "confidential-information",
            "Exchange of confidential information",
            "At no stated stage; where the source names a stage, use that stage's area.",
        ),
        ("laws-guidance", "Laws and guidance", "Rules, standards and their drafts."),
        (
            "regulatory-reliance",
            "Regulatory reliance",
            "Reliance on each other's work, the stage not being stated.",
        ),
        ("harmonisation", "Harmonisation of requirements", ""),
        ("scientific-advice", "Scientific advice and development", ""),
        (
            "emerging-technology",
            "Emerging technology",
            "Artificial intelligence, advanced therapies and other cutting-edge technology.",
        ),
        (
            "joint-programmes",
            "Joint international programmes",
            "Regional and international programmes and scientific initiatives.",
        ),
        ("working-groups", "Working groups and committees", ""),
        ("staff-training", "Staff training", ""),
        ("staff-exchange", "Staff exchange", ""),
        ("capacity-building", "Capacity building", ""),
        ("enforcement", "Enforcement", "Also substandard and falsified products."),
        ("pharmacopoeia", "Pharmacopoeia and quality standards", ""),
        ("laboratory", "Laboratory testing", ""),
        ("good-laboratory-practice", "Good laboratory practice", ""),
        ("lot-release", "Lot release", ""),
        ("joint-institution", "Joint institution", "A common regulator or agency."),
        ("product-development", "Product development", ""),
        ("tobacco-control", "Tobacco and vaping control", ""),
        ("food-safety", "Food safety", ""),
        ("health-policy", "Other health and trade policy", "Outside product regulation."),
    ],
}
PRODUCTS = [
    ("medicines", "Medicines", ""),
    ("biologics", "Biologics", ""),
    ("vaccines", "Vaccines", ""),
    ("ctgtp", "Cell, tissue and gene therapy products", "CTGTP; advanced therapy medicinal products."),
    ("blood-products", "Blood and plasma products", ""),
    ("radiopharmaceuticals", "Radiopharmaceuticals", ""),
    ("medical-gases", "Medical gases", ""),
    ("apis-excipients", "Active ingredients and excipients", ""),
    ("investigational-products", "Investigational products", ""),
    ("complementary-herbal", "Complementary and herbal products", "Also traditional medicines."),
    ("homeopathic", "Homeopathic products", ""),
    ("medical-devices", "Medical devices", ""),
    ("ivds", "In vitro diagnostics", ""),
    ("digital-ai-products", "Digital and AI products", ""),
    ("cosmetics", "Cosmetics", ""),
    ("quasi-drugs", "Quasi-drugs", "A Japanese and Korean category between medicine and cosmetic."),
    ("veterinary", "Veterinary products", ""),
    ("veterinary-immunologicals", "Veterinary immunologicals", ""),
    ("human-tissues-organs", "Human tissues and organs", ""),
    ("narcotics", "Narcotics", ""),
    ("food", "Food and dietary supplements", ""),
    ("tobacco-vaping", "Tobacco and vaping products", ""),
    ("radiation-emitting-products", "Radiation-emitting products", ""),
]


def load(apps, schema_editor):
    area = apps.get_model("agreements", "CooperationArea")
    position = 0
    for stage, areas in STAGE_AREAS.items():
        for code, name, description in areas:
            position += 10
            area.objects.get_or_create(
                code=code,
                defaults={
                    "name": name,
                    "description": description,
                    "stage": stage,
                    "position": position,
                },
            )
    product = apps.get_model("agreements", "ProductCategory")
    for rank, (code, name, description) in enumerate(PRODUCTS, start=1):
        product.objects.get_or_create(
            code=code, defaults={"name": name, "description": description, "position": rank * 10}
        )


class Migration(migrations.Migration):
    dependencies = [("agreements", "0002_search_index")]
    operations = [migrations.RunPython(load, migrations.RunPython.noop)]
