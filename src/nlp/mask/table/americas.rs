//! The Americas but the United States.

use super::check::{
    certain, complement_11, digit, is_digits, is_uniform, is_ymd, number, passes_luhn, weighted,
};
use super::{Row, Verdict, shape};
use crate::domain::masking::Entity;

pub(super) static ROWS: &[Row] = &[
    Row::of(Entity::CA_SIN, "CA", "Social Insurance Number")
        .shapes(&[
            shape("[1-79][0-9]{8}", 0.05).passed(0.2),
            shape("[1-79][0-9]{2} [0-9]{3} [0-9]{3}", 0.3).passed(0.4),
            shape("[1-79][0-9]{2}-[0-9]{3}-[0-9]{3}", 0.3).passed(0.5),
        ])
        .check("Luhn", |code| passes_luhn(code).into())
        .words(
            "assurance sociale, canada, nas, numéro d assurance sociale, numéro nas, sin, sin number, \
             social insurance, social insurance number",
        )
        .source("Employment and Social Development Canada, Social Insurance Number"),
    Row::of(Entity::CA_POSTAL_CODE, "CA", "postal code")
        .shapes(&[
            shape("[ABCEGHJ-NPRSTVXY][0-9][A-CEGHJ-NPRSTV-Z][ -][0-9][A-CEGHJ-NPRSTV-Z][0-9]", 0.3),
            shape("[ABCEGHJ-NPRSTVXY][0-9][A-CEGHJ-NPRSTV-Z][0-9][A-CEGHJ-NPRSTV-Z][0-9]", 0.1),
        ])
        .words("address, adresse, code postal, postal, postal code, shipping, zip")
        .source("Canada Post, Addressing Guidelines"),
    Row::of(Entity::BR_CPF, "BR", "Cadastro de Pessoas Físicas")
        .shapes(&[
            shape("[0-9]{3}\\.[0-9]{3}\\.[0-9]{3}-[0-9]{2}", 0.4),
            shape("[0-9]{11}|[0-9]{9}-[0-9]{2}", 0.05).passed(0.35),
        ])
        .check("two check digits", cpf)
        .words("cadastro de pessoas físicas, cadastro de pessoa física, cpf, receita federal")
        .source("Receita Federal, Instrução Normativa RFB 1548/2015"),
    Row::of(Entity::BR_CNPJ, "BR", "Cadastro Nacional da Pessoa Jurídica")
        .shapes(&[
            shape("[0-9A-Z]{2}\\.[0-9A-Z]{3}\\.[0-9A-Z]{3}/[0-9A-Z]{4}-[0-9]{2}", 0.4),
            shape("[0-9]{14}", 0.05).passed(0.4),
        ])
        .check("two check digits", cnpj)
        .words("cadastro nacional, cnpj, empresa, pessoa jurídica")
        .source("Receita Federal, Instrução Normativa RFB 2229/2024: digits and, from 2026, letters"),
    Row::of(Entity::MX_CURP, "MX", "Clave Única de Registro de Población")
        .shapes(&[shape("[A-Z]{4}[0-9]{6}[HMX][A-Z]{5}[0-9A-Z][0-9]", 0.4)])
        .check("date, weights 18 to 2", curp)
        .words("clave única, curp, registro de población")
        .source("Registro Nacional de Población, Instructivo Normativo para la asignación de la CURP"),
    Row::of(Entity::MX_RFC, "MX", "Registro Federal de Contribuyentes")
        .shapes(&[shape("[A-Z&]{3,4}-?[0-9]{6}-?[0-9A-Z]{3}", 0.2).passed(0.6)])
        .check("date, check character", rfc)
        .words("contribuyente, factura, registro federal de contribuyentes, rfc")
        .source("Servicio de Administración Tributaria, Anexo 3: algoritmo de la clave del RFC"),
    Row::of(Entity::AR_CUIT, "AR", "CUIT, CUIL")
        .shapes(&[
            shape("(?:2[03-7]|3[034])-[0-9]{8}-[0-9]", 0.3).passed(0.9),
            shape("(?:2[03-7]|3[034])[0-9]{9}", 0.05).passed(0.35),
        ])
        .check("weights 5, 4, 3, 2, 7, 6", |code| {
            let sum = weighted(code, &[5, 4, 3, 2, 7, 6, 5, 4, 3, 2]);
            (code.len() == 11 && complement_11(sum) == Some(digit(code[10]))).into()
        })
        .words("afip, clave única de identificación, cuil, cuit")
        .source("AFIP, Clave Única de Identificación Tributaria"),
    Row::of(Entity::AR_DNI, "AR", "Documento Nacional de Identidad")
        .shapes(&[shape("[1-9][0-9]?\\.[0-9]{3}\\.[0-9]{3}", 0.05), shape("[1-9][0-9]{6,7}", 0.01)])
        .words("dni, documento, documento nacional de identidad")
        .source("Registro Nacional de las Personas, Ley 17.671"),
    Row::of(Entity::CL_RUT, "CL", "RUT, RUN")
        .shapes(&[
            shape("[1-9][0-9]?\\.[0-9]{3}\\.[0-9]{3}-[0-9K]", 0.3).passed(0.9),
            shape("[1-9][0-9]{6,7}-[0-9K]", 0.1).passed(0.35),
        ])
        .check("weights 2 to 7, modulus 11", rut)
        .words("cédula, run, rut")
        .source("Servicio de Registro Civil e Identificación, Rol Único Nacional"),
];

/// The check digit for remainders by 11 that are written as zero where they have two digits.
fn check_11(sum: u32) -> u32 {
    complement_11(sum).unwrap_or(0)
}

fn cpf(code: &[u8]) -> Verdict {
    let first = check_11(weighted(code, &[10, 9, 8, 7, 6, 5, 4, 3, 2]));
    let second = check_11(weighted(code, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2]));
    let fits = code.len() == 11 && first == digit(code[9]) && second == digit(code[10]);
    (fits && !is_uniform(code)).into()
}

/// Letters, given out from 2026 on, count by their place in ASCII.
fn cnpj(code: &[u8]) -> Verdict {
    if code.len() != 14 || is_uniform(code) {
        return Verdict::Fails;
    }
    let sum = |weights: &[u32]| code.iter().zip(weights).map(|(&b, w)| digit(b) * w).sum();
    let first = check_11(sum(&[5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]));
    let second = check_11(sum(&[6, 5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2]));
    (first == digit(code[12]) && second == digit(code[13])).into()
}

fn curp(code: &[u8]) -> Verdict {
    // Ñ stands between N and O; no code has it, but it takes a place.
    let value = |b: u8| match b {
        b'0'..=b'9' => u32::from(b - b'0'),
        b'A'..=b'N' => u32::from(b - b'A') + 10,
        _ => u32::from(b.wrapping_sub(b'A')) + 11,
    };
    if code.len() != 18 || !is_ymd(&code[4..10]) {
        return Verdict::Fails;
    }
    let sum: u32 = code[..17].iter().zip((2..=18).rev()).map(|(&b, w)| value(b) * w).sum();
    certain((10 - sum % 10) % 10 == digit(code[17]))
}

/// Companies have three letters, counted as if a space stood in front.
fn rfc(code: &[u8]) -> Verdict {
    const ORDER: &[u8] = b"0123456789ABCDEFGHIJKLMN&OPQRSTUVWXYZ ";
    let Some(date) = code.len().checked_sub(9).and_then(|at| code.get(at..at + 6)) else {
        return Verdict::Fails;
    };
    if !matches!(code.len(), 12 | 13) || !is_digits(date) || !is_ymd(date) {
        return Verdict::Fails;
    }
    let padded = if code.len() == 12 { [b" ", code].concat() } else { code.to_vec() };
    let value = |b: u8| ORDER.iter().position(|&o| o == b).unwrap_or_default();
    let sum: usize = padded[..12].iter().zip((2..=13).rev()).map(|(&b, w)| value(b) * w).sum();
    let expected = match 11 - sum % 11 {
        11 => b'0',
        10 => b'A',
        d => b'0' + (d % 10) as u8,
    };
    if padded[12] == expected { Verdict::Passes } else { Verdict::Unknown }
}

fn rut(code: &[u8]) -> Verdict {
    let Some((&last, body)) = code.split_last() else { return Verdict::Fails };
    let weights = [2, 3, 4, 5, 6, 7].into_iter().cycle();
    let sum: u32 = body.iter().rev().zip(weights).map(|(&b, w)| digit(b) % 10 * w).sum();
    let expected = match 11 - sum % 11 {
        11 => b'0',
        10 => b'K',
        d => b'0' + (d % 10) as u8,
    };
    (last == expected && number(body) > 0 && !is_uniform(body)).into()
}
